"""Wasserstein distance (earth mover's): how far rows must move to turn one distribution into the other.

    W = integral over x of |F(x) - G(x)|,   told in standard deviations of the reference

(L. Kantorovich, 1942; for one dimension S. Vallender, 1974). In the feature's own unit it could not be compared
between features; so it is divided by the reference's standard deviation, as Evidently does.

Limits: for numbers only. On bins, rows count as spread evenly inside them, and what lies beyond the outer edges as
lying at them: a shift far beyond what training saw is understated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitoring.drift.cells import Counts, pair

SMALLEST_DEVIATION = 0.001
"""A constant reference has no deviation to measure in (Evidently's bound, so that figures agree)."""


def on_bins(
    edges: Sequence[float], reference: Sequence[float] | Counts, current: Sequence[float] | Counts
) -> float:
    """The distance of two histograms on the same bins, in standard deviations of the reference.

    Args:
        edges: One more than there are bins, increasing.
        reference: Rows in each bin.
        current: Rows in each bin.

    Raises:
        DistributionMismatch: The numbers of bins differ.
        EmptyDistribution: A side has no rows.

    >>> round(on_bins([0, 1, 2, 3], [9, 0, 0], [0, 0, 9]), 3)  # two bins away, each a unit wide
    6.928
    """
    left, right = pair(reference, current)
    places, widths = np.asarray(edges, dtype=np.float64), np.diff(edges)
    p = left / left.sum()
    gaps = np.concatenate([[0.0], np.cumsum(p - right / right.sum())])
    before, after = gaps[:-1], gaps[1:]
    # Within a bin the difference of the two cumulative distributions is a straight line.
    crossing = before * after < 0
    areas = widths * np.abs(before + after) / 2
    spread = np.abs(before[crossing]) + np.abs(after[crossing])
    areas[crossing] = widths[crossing] * (before[crossing] ** 2 + after[crossing] ** 2) / (2 * spread)
    middles = (places[:-1] + places[1:]) / 2
    mean = float((p * middles).sum())
    variance = float((p * ((middles - mean) ** 2 + widths**2 / 12)).sum())
    return float(areas.sum()) / max(float(np.sqrt(variance)), SMALLEST_DEVIATION)
