"""Two means at a size that was planned beforehand: valid for one look, at the end.

Looked at more often it finds differences where there are none; ``mean_difference_sequence`` does not.

    means        Welch's t-test: t = D / sqrt(v1/n1 + v2/n2), Welch-Satterthwaite degrees of freedom
    proportions  z-test with the pooled share; the interval is the normal one, unpooled

Sources: Welch, "The generalization of Student's problem", Biometrika 34 (1947); Fleiss, Levin, Paik, "Statistical
methods for rates and proportions", 3rd edition (2003).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from scipy import special

from deployments.rollout.statistics.interval import Interval
from deployments.rollout.statistics.sample import Sample


@dataclass(frozen=True, slots=True)
class Comparison:
    """A difference, treatment less control, with its p-value (two-sided)."""

    difference: Interval
    p_value: float


def of_proportions(control: Sample, treatment: Sample, alpha: float) -> Comparison:
    """Compare two shares.

    Raises:
        ValueError: One side has nothing, or is not made of zeros and ones.
    """
    if control.total != control.squares or treatment.total != treatment.squares:
        raise ValueError("shares are made of zeros and ones")
    difference = treatment.mean - control.mean
    pooled = (control.total + treatment.total) / (control.count + treatment.count)
    error = sqrt(pooled * (1 - pooled) * (1 / control.count + 1 / treatment.count))
    unpooled = sqrt(sum(side.mean * (1 - side.mean) / side.count for side in (control, treatment)))
    width = float(special.ndtri(1 - alpha / 2)) * unpooled
    p_value = float(2 * special.ndtr(-abs(difference) / error)) if error > 0 else 1.0
    return Comparison(Interval(difference, difference - width, difference + width), p_value)


def of_means(control: Sample, treatment: Sample, alpha: float) -> Comparison:
    """Compare two means.

    Raises:
        ValueError: One side has fewer than two observations.
    """
    difference = treatment.mean - control.mean
    ours, theirs = treatment.variance_of_mean, control.variance_of_mean
    error = sqrt(ours + theirs)
    if error == 0:
        return Comparison(Interval(difference, difference, difference), float(difference == 0))
    freedom = (ours + theirs) ** 2 / (ours**2 / (treatment.count - 1) + theirs**2 / (control.count - 1))
    width = float(special.stdtrit(freedom, 1 - alpha / 2)) * error
    p_value = float(2 * special.stdtr(freedom, -abs(difference) / error))
    return Comparison(Interval(difference, difference - width, difference + width), p_value)
