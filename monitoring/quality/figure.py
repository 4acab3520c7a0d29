"""A figure with the interval in which the truth probably lies."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

from scipy import stats

from monitoring.errors import EmptyDistribution

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured.

    Attributes:
        value: The figure itself.
        lower: Lower end of its interval of 95 % confidence.
        upper: Upper end.
    """

    value: float
    lower: float
    upper: float


def proportion(successes: float, rows: float, confidence: float = CONFIDENCE) -> Figure:
    """A share with Wilson's interval, which keeps its promise for small numbers and near 0 and 1.

        (p + z²/2n ± z * sqrt(p(1 - p)/n + z²/4n²)) / (1 + z²/n)

    (E. B. Wilson, Probable inference, Journal of the American Statistical Association 22, 1927.)

    Raises:
        EmptyDistribution: There are no rows.

    >>> found = proportion(9, 10)
    >>> round(found.lower, 3), round(found.upper, 3)
    (0.596, 0.982)
    """
    if rows <= 0:
        raise EmptyDistribution("labelled")
    share, z = successes / rows, normal_quantile(confidence)
    centre = share + z * z / (2 * rows)
    reach = z * sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    scale = 1 + z * z / rows
    return Figure(share, max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale))


def around(value: float, error: float, least: float = -inf, most: float = inf) -> Figure:
    """A figure with a normal interval.

    Args:
        value: The figure.
        error: Its standard error.
        least: The figure cannot be smaller.
        most: The figure cannot be larger.
    """
    reach = normal_quantile(CONFIDENCE) * error
    return Figure(value, max(least, value - reach), min(most, value + reach))


def normal_quantile(confidence: float) -> float:
    """How many standard errors a two-sided interval reaches to either side."""
    return float(stats.norm.ppf(0.5 + confidence / 2))
