"""How many units an experiment needs.

    fixed horizon  n = (z_{1-alpha/2} + z_{power})^2 (v1 + v2 / r) / effect^2
    sequential     the least n at which the confidence sequence of ``mean_difference_sequence`` excludes zero with
                   the probability ``power`` at that very look; it may well have done so before

for n units of control and r n of the treatment,
with v the variance of one unit and r the treatment's units for one of control.

Source: Chow, Shao, Wang, "Sample size calculations in clinical research", 3rd edition (2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

from scipy import special

from deployments.rollout.statistics.mean_difference_sequence import MIN_OBSERVATIONS, half_width


@dataclass(frozen=True, slots=True)
class PlannedEffect:
    """The least difference that is worth finding.

    Attributes:
        effect: Difference of the means, not 0.
        control_variance: Of one unit of control.
        treatment_variance: Of one unit of the treatment.
        ratio: Units of the treatment for one of control.
    """

    effect: float
    control_variance: float
    treatment_variance: float
    ratio: float = 1.0

    def __post_init__(self) -> None:
        if self.effect == 0 or min(self.control_variance, self.treatment_variance) < 0 or self.ratio <= 0:
            raise ValueError("needs an effect other than 0, variances of at least 0 and a positive ratio")

    @classmethod
    def of_shares(cls, baseline: float, effect: float, ratio: float = 1.0) -> PlannedEffect:
        """A share that moves from the baseline by an effect.

        Raises:
            ValueError: One of the two is not between 0 and 1.
        """
        moved = baseline + effect
        if not (0 < baseline < 1 and 0 < moved < 1):
            raise ValueError(f"shares must be between 0 and 1, not {baseline:g} and {moved:g}")
        return cls(effect, baseline * (1 - baseline), moved * (1 - moved), ratio)

    def variance_at(self, control_units: float) -> float:
        """Variance of the difference of the means at a size of control."""
        return (self.control_variance + self.treatment_variance / self.ratio) / control_units


def fixed_horizon_units(planned: PlannedEffect, alpha: float, power: float) -> int:
    """Units of control for one look at the end."""
    quantiles = float(special.ndtri(1 - alpha / 2) + special.ndtri(power))
    return max(2, ceil(quantiles**2 * planned.variance_at(1) / planned.effect**2))


def sequential_units(planned: PlannedEffect, alpha: float, power: float) -> int:
    """Units of control after which a sequential test has found the effect with the power at least."""
    beyond = float(special.ndtri(power))

    def suffices(units: int) -> bool:
        variance = planned.variance_at(units)
        needed = half_width(variance, abs(planned.effect), alpha) + beyond * sqrt(variance)
        return needed <= abs(planned.effect)

    upper = MIN_OBSERVATIONS
    while not suffices(upper):
        upper *= 2
    lower = upper // 2
    while upper - lower > 1:
        middle = (lower + upper) // 2
        lower, upper = (lower, middle) if suffices(middle) else (middle, upper)
    return upper
