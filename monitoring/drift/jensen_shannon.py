"""Jensen-Shannon distance: a bounded, symmetric distance of two distributions over the same cells.

    JS(p, q) = sqrt( KL(p, m) / 2 + KL(q, m) / 2 ),   m = (p + q) / 2,   KL(p, m) = sum of p * log2(p / m)

(J. Lin, Divergence measures based on the Shannon entropy, IEEE Transactions on Information Theory 37, 1991; its
root is a metric: D. Endres and J. Schindelin, 2003). Between 0 and 1; empty cells need no correction.

Limits: like every distance it is above 0 by chance alone in small windows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitoring.drift.cells import Counts, pair


def distance(reference: Sequence[float] | Counts, current: Sequence[float] | Counts) -> float:
    """The distance, to the base of 2.

    Raises:
        DistributionMismatch: The numbers of cells differ.
        EmptyDistribution: A side has no rows.

    >>> distance([10, 0], [0, 10])
    1.0
    >>> round(distance([50, 50], [60, 40]), 4)
    0.0854
    """
    left, right = pair(reference, current)
    p, q = left / left.sum(), right / right.sum()
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return float(np.sqrt(max(0.0, divergence)))


def _relative_entropy(p: Counts, q: Counts) -> float:
    filled = p > 0
    return float((p[filled] * np.log2(p[filled] / q[filled])).sum())
