"""Area under the ROC curve: the probability that a positive row has the higher score than a negative one.

    AUC = mean over positives of V10,   V10(i) = share of negatives below positive i (ties count half)

Its variance is that of DeLong: var(V10) / m + var(V01) / n for m positives and n negatives (E. DeLong, D. DeLong
and D. Clarke-Pearson, Comparing the areas under two or more correlated ROC curves, Biometrics 44, 1988), on the
scale of the log odds, so that the interval stays within 0 and 1. With m or n below about ten the interval is a
rough guess.
"""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from monitoring.errors import EmptyDistribution
from monitoring.quality.figure import CONFIDENCE, Figure, normal_quantile

FLAT = 1e-6
"""An area this near to 0 or 1 has no variance that could be estimated."""


def measure(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> Figure:
    """The area and its interval.

    Args:
        positive: Whether each row is.
        score: The higher, the more probably.

    Raises:
        EmptyDistribution: There is no positive row, or no negative one.

    >>> import numpy as np
    >>> measure(np.array([True, True, False, False]), np.array([0.9, 0.4, 0.6, 0.1])).value
    0.75
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if m == 0 or n == 0:
        raise EmptyDistribution("positive" if m == 0 else "negative")
    ranks = stats.rankdata(score)
    above = (ranks[positive] - stats.rankdata(score[positive])) / n
    below = 1 - (ranks[~positive] - stats.rankdata(score[~positive])) / m
    area = float(above.mean())
    if m == 1 or n == 1 or not FLAT < area < 1 - FLAT:
        return Figure(area, 0.0 if m == 1 or n == 1 else area, 1.0 if m == 1 or n == 1 else area)
    error = sqrt(float(above.var(ddof=1)) / m + float(below.var(ddof=1)) / n)
    centre, reach = log(area / (1 - area)), normal_quantile(CONFIDENCE) * error / (area * (1 - area))
    return Figure(area, _logistic(centre - reach), _logistic(centre + reach))


def _logistic(value: float) -> float:
    return 1 / (1 + exp(-value))
