"""What a version was asked and how good it was, as a section of a page for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from monitoring.report import TEXT_STYLE
from training.documents import plots

if TYPE_CHECKING:
    import pandas as pd

    from monitoring.quality.figure import Figure

SLICES = 12
"""Bars over the span of the page."""

_QUANTILES = (0.5, 0.95, 0.99)


def html(
    title: str,
    rows: pd.DataFrame,
    total: int,
    figures: Mapping[str, Figure],
    baseline: Mapping[str, float],
    labelled: int,
) -> str:
    """Traffic over time, outcomes, latency and quality.

    Args:
        title: Whose figures.
        rows: Logged rows, or a uniform sample of them: ``timestamp``, ``latency_ms``, ``outcome``.
        total: How many there are; counts of a sample are scaled to it.
        figures: Quality on labels, with intervals.
        baseline: The same on the test split.
        labelled: Rows that have a label.
    """
    scale = total / len(rows)
    sampled = f", estimated from a uniform sample of {len(rows):,}" if scale > 1 else ""
    latency = rows["latency_ms"].quantile(list(_QUANTILES))
    told = [f"p{quantile * 100:g} {latency[quantile]:.1f} ms" for quantile in _QUANTILES]
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<h2>Traffic</h2><p>{total:,} rows{sampled}; latency {', '.join(told)}</p>",
        plots.bars({moment: round(scale * count) for moment, count in _by_time(rows["timestamp"]).items()}),
        _table(
            ("outcome", "rows"),
            [(str(name), f"{round(scale * n):,}") for name, n in rows["outcome"].value_counts().items()],
        ),
        f"<h2>Quality</h2><p>{labelled:,} rows with a label</p>",
    ]
    if figures:
        lines = [
            (name, f"{one.value:.3f}", _interval(one), _number(baseline.get(name)))
            for name, one in figures.items()
        ]
        parts.append(_table(("metric", "on labels", "95 % interval", "test split"), lines))
    return f'<section style="{TEXT_STYLE}">{"".join(parts)}</section>'


def _by_time(moments: pd.Series[pd.Timestamp]) -> dict[str, float]:
    import pandas as pd

    slices = pd.cut(moments, SLICES, labels=False) if moments.nunique() > 1 else pd.Series(0, index=moments.index)
    counted = moments.groupby(slices).agg(["min", "count"])
    return {f"{begin:%Y-%m-%d %H:%M:%S}": float(count) for begin, count in counted.itertuples(index=False)}


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    cells = "".join(f"<th style='text-align:left'>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in line)}</tr>" for line in lines)
    return f"<table cellpadding='6'><tr>{cells}</tr>{body}</table>"


def _interval(one: Figure) -> str:
    """Empty for a figure that has none."""
    return f"{one.lower:.3f} to {one.upper:.3f}" if one.lower < one.upper else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
