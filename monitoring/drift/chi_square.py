"""Chi-square test of homogeneity: are two sets of rows spread over the cells alike?

    X² = sum over cells and sides of (observed - expected)² / expected

with B - 1 degrees of freedom for B cells (K. Pearson, 1900). For categories, whose cells have no order.

Limits: the expected counts must not be tiny (``cells.merged`` sees to it); with very many rows every trifle is
significant.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from monitoring.drift.cells import Counts, merged
from monitoring.drift.outcome import Outcome


def on_cells(reference: Sequence[float] | Counts, current: Sequence[float] | Counts) -> Outcome:
    """The test on counts over the same cells; rare cells are put together first.

    Raises:
        DistributionMismatch: The numbers of cells differ.
        EmptyDistribution: A side has no rows.

    >>> found = on_cells([60, 40], [40, 60])
    >>> round(found.statistic, 1), round(found.p_value, 4)
    (8.0, 0.0047)
    """
    table = np.vstack(merged(reference, current))
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return Outcome(0.0, 1.0)
    found = stats.chi2_contingency(table, correction=False)
    return Outcome(float(found.statistic), float(found.pvalue))
