"""What is kept of many numbers to compare their mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """Count, sum and sum of squares: enough for a mean and its variance, and they add up.

    Attributes:
        count: Observations.
        total: Their sum.
        squares: Sum of their squares.
    """

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: Iterable[float]) -> Sample:
        """The sample of some numbers."""
        listed = list(values)
        return cls(len(listed), sum(listed), sum(value * value for value in listed))

    @classmethod
    def of_proportion(cls, successes: int, trials: int) -> Sample:
        """The sample of so many ones among zeros."""
        return cls(trials, float(successes), float(successes))

    @property
    def mean(self) -> float:
        """Mean.

        Raises:
            ValueError: There is nothing.
        """
        if self.count < 1:
            raise ValueError("the mean of nothing")
        return self.total / self.count

    @property
    def variance(self) -> float:
        """Unbiased variance of one observation.

        Raises:
            ValueError: There are fewer than two.
        """
        if self.count < 2:
            raise ValueError(f"the variance of {self.count} observations; two at least")
        return max(0.0, (self.squares - self.count * self.mean**2) / (self.count - 1))

    @property
    def variance_of_mean(self) -> float:
        """Variance of the mean."""
        return self.variance / self.count


NOTHING = Sample()
"""No observation at all."""
