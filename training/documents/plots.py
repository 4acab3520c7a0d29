"""Small drawings as SVG, without a plotting library: a training run must not wait a second for its import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from deployments.contracts.reference_profile import Histogram

Point = tuple[float, float]

SIZE = 280
MARGIN = 36
INK, LINE, FAINT = "#1f2328", "#0969da", "#d0d7de"


def curve(points: Sequence[Point], across: str, up: str, dots: bool = False) -> str:
    """A curve in the unit square, with the diagonal.

    Args:
        points: With both coordinates from 0 to 1.
        across: Name of the axis to the right.
        up: Name of the axis upwards.
        dots: Show each point.
    """
    placed = [(MARGIN + x * (SIZE - 2 * MARGIN), SIZE - MARGIN - y * (SIZE - 2 * MARGIN)) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    drawn = [
        f'<rect x="{MARGIN}" y="{MARGIN}" width="{SIZE - 2 * MARGIN}" height="{SIZE - 2 * MARGIN}" fill="none" '
        f'stroke="{FAINT}"/>',
        f'<line x1="{MARGIN}" y1="{SIZE - MARGIN}" x2="{SIZE - MARGIN}" y2="{MARGIN}" stroke="{FAINT}" '
        'stroke-dasharray="4"/>',
        f'<polyline points="{path}" fill="none" stroke="{LINE}" stroke-width="2"/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{LINE}"/>' for x, y in placed if dots),
        _text(SIZE / 2, SIZE - 8, across, "middle"),
        f'<g transform="rotate(-90 12 {SIZE / 2})">{_text(12, SIZE / 2, up, "middle")}</g>',
        *(_text(MARGIN + share * (SIZE - 2 * MARGIN), SIZE - 22, f"{share:g}", "middle") for share in (0, 0.5, 1)),
        *(
            _text(MARGIN - 4, SIZE - MARGIN - share * (SIZE - 2 * MARGIN), f"{share:g}", "end")
            for share in (0.5, 1)
        ),
    ]
    return _svg(SIZE, SIZE, drawn)


def bars(lengths: Mapping[str, float]) -> str:
    """Horizontal bars, one a name; the longest fills the width."""
    longest = max((abs(length) for length in lengths.values()), default=0.0) or 1.0
    drawn = []
    for position, (name, length) in enumerate(lengths.items()):
        y = 8 + 20 * position
        width = 220 * max(length, 0.0) / longest
        drawn.append(_text(190, y + 11, name[:28], "end"))
        drawn.append(f'<rect x="196" y="{y}" width="{width:.1f}" height="14" fill="{LINE}"/>')
        told = f"{length:,.0f}" if abs(length) >= 1000 else f"{length:.3g}"
        drawn.append(_text(200 + width, y + 11, told, "start"))
    return _svg(480, 20 * len(lengths) + 12, drawn)


def histogram(found: Histogram) -> str:
    """Density over bins of different width; the fullest bin fills the height."""
    edges, counts = found.edges, found.counts
    width, height = 220, 90
    span = edges[-1] - edges[0]
    density = [count / (high - low) for count, low, high in zip(counts, edges, edges[1:], strict=False)]
    tallest = max(density) or 1.0
    drawn = []
    for low, high, share in zip(edges, edges[1:], density, strict=False):
        x, wide = 10 + width * (low - edges[0]) / span, width * (high - low) / span
        tall = height * share / tallest
        drawn.append(
            f'<rect x="{x:.1f}" y="{8 + height - tall:.1f}" width="{max(wide, 0.5):.1f}" height="{tall:.1f}" '
            f'fill="{LINE}" fill-opacity="0.7" stroke="white" stroke-width="0.5"/>'
        )
    drawn.append(_text(10, height + 24, f"{edges[0]:.4g}", "start"))
    drawn.append(_text(10 + width, height + 24, f"{edges[-1]:.4g}", "end"))
    return _svg(width + 20, height + 30, drawn)


def heat(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """A square of counts, darker where a row has more of its own."""
    cell, edge = 52, 90
    drawn = [_text(edge + cell * len(names) / 2, 12, "returned", "middle")]
    for row, line in enumerate(counts):
        total = sum(line) or 1
        drawn.append(_text(edge - 6, 44 + cell * row, names[row][:12], "end"))
        drawn.append(_text(edge + cell * row + cell / 2, 26, names[row][:7], "middle"))
        for column, count in enumerate(line):
            x, y = edge + cell * column, 32 + cell * row
            drawn.append(
                f'<rect x="{x}" y="{y - 16 + 16}" width="{cell}" height="{cell}" fill="{LINE}" '
                f'fill-opacity="{0.05 + 0.7 * count / total:.2f}" stroke="white"/>'
            )
            drawn.append(_text(x + cell / 2, y + cell / 2 + 4, str(count), "middle"))
    return _svg(edge + cell * len(names) + 10, 40 + cell * len(names), drawn)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" fill="{INK}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _svg(width: float, height: float, drawn: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'font-family="system-ui, sans-serif" role="img">{"".join(drawn)}</svg>'
    )
