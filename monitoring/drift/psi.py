"""Population stability index: how far a distribution over fixed cells has moved.

    PSI = sum over cells of (p - q) * ln(p / q)

with p the share of the reference's rows in a cell and q that of the current ones. It is the symmetrised
Kullback-Leibler divergence, 0 for equal shares and without upper bound. By convention below 0.1 is stable and
above 0.25 a change that calls for action (N. Siddiqi, Credit Risk Scorecards, 2006).

Limits: it depends on the cells, so it is comparable only over the same bins. It grows with the noise of small
windows: see ``quantile_without_shift``. An empty cell would make it infinite; each cell gets half a row more, on
both sides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from monitoring.drift.cells import Counts, pair

PSEUDO_ROWS = 0.5
"""Added to every cell (the Jeffreys prior of a multinomial): no division by zero, no effect on well-filled
cells."""


def score(reference: Sequence[float] | Counts, current: Sequence[float] | Counts) -> float:
    """The index of two distributions over the same cells.

    Args:
        reference: Rows in each cell.
        current: Rows in each cell, in the same order.

    Raises:
        DistributionMismatch: The numbers of cells differ.
        EmptyDistribution: One has no rows.

    >>> round(score([250, 250, 250, 250], [250, 250, 250, 250]), 6)
    0.0
    >>> round(score([2500, 2500, 2500, 2500], [4000, 3000, 2000, 1000]), 3)
    0.228
    """
    left, right = (counts + PSEUDO_ROWS for counts in pair(reference, current))
    p, q = left / left.sum(), right / right.sum()
    return float(((p - q) * np.log(p / q)).sum())


def quantile_without_shift(
    cells: int, reference_rows: float, current_rows: float, probability: float = 0.99
) -> float:
    """What the index stays below, with this probability, while nothing has moved.

    Both sides drawn from one distribution over B cells, N and M rows:

        PSI ~ (1/N + 1/M) * chi-square with B - 1 degrees of freedom

    (B. Yurdakul and J. Naranjo, Statistical properties of the population stability index, Journal of Risk Model
    Validation 14, 2020). It holds where cells are not nearly empty: see ``cells.merged``.

    Args:
        cells: B, at least 1.
        reference_rows: N.
        current_rows: M.
        probability: Of staying below.

    >>> round(quantile_without_shift(10, 3000, 300), 3)
    0.079
    """
    if cells < 2:
        return 0.0
    spread = 1.0 / reference_rows + 1.0 / current_rows
    return float(stats.chi2.ppf(probability, cells - 1) * spread)
