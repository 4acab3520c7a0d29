"""An estimate with the values that the data does not contradict."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, or one moment of a confidence sequence.

    Attributes:
        estimate: The best single value.
        lower: Nothing below it is plausible.
        upper: Nothing above it is plausible.
    """

    estimate: float
    lower: float
    upper: float
