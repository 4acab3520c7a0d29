"""Two distributions over the same cells: bins of a number, or categories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitoring.errors import DistributionMismatch, EmptyDistribution

Counts = NDArray[np.float64]

EXPECTED_ROWS = 5.0
"""Fewer rows than these expected in a cell, and the chi-square distribution is no longer a good description
(W. G. Cochran, Some methods for strengthening the common chi-square tests, Biometrics 10, 1954)."""


def pair(reference: Sequence[float] | Counts, current: Sequence[float] | Counts) -> tuple[Counts, Counts]:
    """Both as arrays.

    Raises:
        DistributionMismatch: They do not have the same number of cells.
        EmptyDistribution: One has no rows.
    """
    left, right = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    if left.shape != right.shape or left.ndim != 1:
        raise DistributionMismatch(left.size, right.size)
    for which, counts in (("reference", left), ("current", right)):
        if not counts.sum() > 0:
            raise EmptyDistribution(which)
    return left, right


def merged(
    reference: Sequence[float] | Counts, current: Sequence[float] | Counts, expected: float = EXPECTED_ROWS
) -> tuple[Counts, Counts]:
    """The same rows, with the rare cells put together into one at the end.

    A cell is rare if, were both sides alike, fewer than ``expected`` rows would be in it on either side. A
    category that training never saw stays in what is compared: it is rare at first, and no longer once many rows
    have it.

    Raises:
        DistributionMismatch: See ``pair``.
        EmptyDistribution: See ``pair``.

    >>> left, right = merged([500, 480, 15, 5], [50, 48, 1, 1])
    >>> left.tolist(), right.tolist()
    ([500.0, 480.0, 20.0], [50.0, 48.0, 2.0])
    """
    left, right = pair(reference, current)
    pooled = (left + right) / (left.sum() + right.sum())
    rare = pooled * min(left.sum(), right.sum()) < expected
    if rare.sum() < 2:
        return left, right
    return (
        np.append(left[~rare], left[rare].sum()),
        np.append(right[~rare], right[rare].sum()),
    )
