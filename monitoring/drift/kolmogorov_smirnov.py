"""Two-sample Kolmogorov-Smirnov test: the largest distance of two cumulative distributions.

    D = sup over x of |F(x) - G(x)|

(N. Smirnov, Table for estimating the goodness of fit of empirical distributions, Annals of Mathematical Statistics
19, 1948). For numbers; it sees a moved centre best and moved tails badly. With very many rows every trifle is
significant: read the p-value together with a distance.

On bins the distance is seen at their edges only, so it is at most the true one and the p-value is conservative:
fewer false alarms than their nominal rate, never more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from monitoring.drift.cells import Counts, pair
from monitoring.drift.outcome import Outcome


def on_bins(reference: Sequence[float] | Counts, current: Sequence[float] | Counts) -> Outcome:
    """The test on counts over the same ordered bins, by the asymptotic distribution of D.

    Raises:
        DistributionMismatch: The numbers of bins differ.
        EmptyDistribution: A side has no rows.

    >>> found = on_bins([50, 50, 0, 0], [0, 50, 50, 0])
    >>> found.statistic, round(found.p_value, 12)
    (0.5, 4e-12)
    """
    left, right = pair(reference, current)
    n, m = left.sum(), right.sum()
    distance = float(np.abs(np.cumsum(left) / n - np.cumsum(right) / m).max())
    p_value = float(stats.kstwo.sf(distance, np.round(n * m / (n + m))))
    return Outcome(distance, min(1.0, p_value))
