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
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from monitoring.drift.cells import Counts, pair
from monitoring.errors import EmptyDistribution


@dataclass(frozen=True, slots=True)
class Test:
    """Outcome of a test of "both are drawn from one distribution".

    Attributes:
        statistic: What the test measures.
        p_value: Probability of a statistic at least this large if it is so.
    """

    statistic: float
    p_value: float


def on_samples(reference: NDArray[np.float64], current: NDArray[np.float64]) -> Test:
    """The test on values; NaN is left out.

    Raises:
        EmptyDistribution: A side has no value.

    >>> import numpy as np
    >>> on_samples(np.arange(100.0), np.arange(100.0) + 50).statistic
    0.5
    """
    left, right = reference[~np.isnan(reference)], current[~np.isnan(current)]
    for which, values in (("reference", left), ("current", right)):
        if values.size == 0:
            raise EmptyDistribution(which)
    found = stats.ks_2samp(left, right, method="asymp")
    return Test(float(found.statistic), float(found.pvalue))


def on_bins(reference: Sequence[float] | Counts, current: Sequence[float] | Counts) -> Test:
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
    return Test(distance, min(1.0, p_value))
