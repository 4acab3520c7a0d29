"""What a version was asked and how good it was, as a section of a page for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from training.documents import plots

if TYPE_CHECKING:
    import pandas as pd

    from monitoring.quality.figure import Figure

SLICES = 12
"""Bars over the span of the page."""
_STYLE = "font-family: sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem"
_QUANTILES = (0.5, 0.95, 0.99)


def html(
    title: str,
    rows: pd.DataFrame,
    figures: Mapping[str, Figure],
    baseline: Mapping[str, float],
    labelled: int,
) -> str:
    """Traffic over time, outcomes, latency and quality.

    Args:
        title: Whose figures.
        rows: Logged rows: ``timestamp``, ``latency_ms``, ``outcome``.
        figures: Quality on labels, with intervals.
        baseline: The same on the test split.
        labelled: Rows that have a label.
    """
    latency = rows["latency_ms"].quantile(list(_QUANTILES))
    told = [f"p{quantile * 100:g} {latency[quantile]:.1f} ms" for quantile in _QUANTILES]
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<h2>Traffic</h2><p>{len(rows):,} rows; latency {', '.join(told)}</p>",
        plots.bars(_by_time(rows["timestamp"])),
        _table(
            ("outcome", "rows"),
            [(str(name), f"{count:,}") for name, count in rows["outcome"].value_counts().items()],
        ),
        f"<h2>Quality</h2><p>{labelled:,} rows with a label</p>",
    ]
    if figures:
        lines = [
            (name, f"{one.value:.3f}", _interval(one), _number(baseline.get(name)))
            for name, one in figures.items()
        ]
        parts.append(_table(("metric", "on labels", "95 % interval", "test split"), lines))
    return f'<section style="{_STYLE}">{"".join(parts)}</section>'


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
