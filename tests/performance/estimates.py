"""Estimates with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and how sure it is.

    Attributes:
        value: Best estimate.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def difference(pairs: Sequence[tuple[float, float]]) -> Estimate:
    """Mean of the second less the first of each pair, with Student's interval.

    Raises:
        ValueError: Fewer than two pairs.
    """
    return _mean([after - before for before, after in pairs])


def ratio(pairs: Sequence[tuple[float, float]]) -> Estimate:
    """Geometric mean of the second over the first of each pair, with Student's interval of its logarithm.

    Raises:
        ValueError: Fewer than two pairs.
    """
    log = _mean([math.log(after / before) for before, after in pairs])
    return Estimate(math.exp(log.value), math.exp(log.low), math.exp(log.high))


def slope(times: Sequence[float], values: Sequence[float]) -> Estimate:
    """Change of values a unit of time, by least squares.

    What is left of one sample resembles what is left of the next, so there is less evidence than there are
    samples: the interval counts ``n (1 - r) / (1 + r)`` of them, r the residuals' correlation with their
    neighbours. Source: Santer et al., J. Geophys. Res. 105 (2000), 7337, equations 4 to 6.

    Raises:
        ValueError: Fewer than four samples.
    """
    count = len(times)
    if count < 4:
        raise ValueError(f"a slope with an interval needs four samples, not {count}")
    x, y = np.asarray(times) - np.mean(times), np.asarray(values, dtype=float)
    steepness = float(x @ y / (x @ x))
    residuals = y - y.mean() - steepness * x
    variation = float(residuals @ residuals)
    if variation == 0:
        return Estimate(steepness, steepness, steepness)
    neighbours = min(max(float(residuals[1:] @ residuals[:-1]) / variation, 0.0), 0.99)
    effective = max(count * (1 - neighbours) / (1 + neighbours), 3.0)
    error = math.sqrt(variation / (effective - 2) / float(x @ x))
    reach = _student(effective - 2) * error
    return Estimate(steepness, steepness - reach, steepness + reach)


def _mean(values: Sequence[float]) -> Estimate:
    if len(values) < 2:
        raise ValueError(f"an interval needs two pairs, not {len(values)}")
    middle = float(np.mean(values))
    reach = _student(len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Estimate(middle, middle - reach, middle + reach)


def _student(freedom: float) -> float:
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom))
