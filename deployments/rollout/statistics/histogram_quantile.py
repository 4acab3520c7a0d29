"""A quantile of times that were only counted in buckets, with its interval.

The rank of the q-quantile among n values is binomial, so ranks n q +- z sqrt(n q (1 - q)) hold it with the
confidence of z; inside its bucket a rank is taken to lie on a straight line, as Prometheus does.

Source: Conover, "Practical nonparametric statistics", 3rd edition (1999), section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import sqrt
from statistics import NormalDist

from deployments.rollout.statistics.interval import Interval


def interval(bounds: Sequence[float], counts: Sequence[int], quantile: float, alpha: float) -> Interval:
    """The quantile.

    Args:
        bounds: Upper bounds of the buckets, rising; one bucket more lies beyond the last.
        counts: By bucket.
        quantile: Between 0 and 1.
        alpha: Probability that the quantile is outside, for one look.

    Raises:
        ValueError: There is nothing to take a quantile of.
    """
    values = sum(counts)
    if values < 1 or len(counts) != len(bounds) + 1:
        raise ValueError(f"{values} values in {len(counts)} buckets of {len(bounds)} bounds")
    margin = NormalDist().inv_cdf(1 - alpha / 2) * sqrt(values * quantile * (1 - quantile))
    ranks = (values * quantile, values * quantile - margin, values * quantile + margin)
    estimate, lower, upper = (_value_at(rank, bounds, counts) for rank in ranks)
    return Interval(estimate, lower, upper)


def _value_at(rank: float, bounds: Sequence[float], counts: Sequence[int]) -> float:
    """The value of a rank; what lies beyond the last bound is said to be at it."""
    cumulative = list(accumulate(counts))
    rank = min(max(rank, 0.0), cumulative[-1])
    position = next(index for index, total in enumerate(cumulative) if total >= rank)
    if position >= len(bounds):
        return bounds[-1]
    lower = bounds[position - 1] if position else 0.0
    below = cumulative[position] - counts[position]
    inside = (rank - below) / counts[position] if counts[position] else 1.0
    return lower + (bounds[position] - lower) * inside
