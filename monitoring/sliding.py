"""Sliding windows over what gateways count cumulatively: the counts of now less those of then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deployments.contracts.distributions import Distributions, PackageKey
from monitoring.errors import InvalidLimits

Observed = Mapping[PackageKey, Distributions]

WINDOW_SECONDS = 3600.0
"""Length of the monitor's window."""


@dataclass(frozen=True, slots=True)
class Span:
    """How far a sliding window reaches back, and how finely it slides.

    Attributes:
        seconds: Its length.
        step_seconds: Between two points that are remembered; memory is length / step times one set of counts.

    Raises:
        InvalidLimits: The step is not between 0 and the length.
    """

    seconds: float = WINDOW_SECONDS
    step_seconds: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.step_seconds <= self.seconds:
            raise InvalidLimits("step_seconds", self.step_seconds, f"above 0 and at most {self.seconds:g}")


@dataclass(frozen=True, slots=True)
class Point:
    """The counts of one moment."""

    at: float
    observed: Observed


@dataclass(frozen=True, slots=True)
class Sliding:
    """Points of the past, oldest first; immutable.

    Attributes:
        span: Length and step.
        points: The first is the newest one that is a whole length old, or the first ever.
    """

    span: Span = Span()
    points: tuple[Point, ...] = ()

    def after(self, now: float, observed: Observed) -> Sliding:
        """With the counts of ``now`` (seconds, monotonic) remembered, if the last point is a step old."""
        if not self.points:
            return Sliding(self.span, (Point(now, {}),))  # all that was counted until now is of the window
        if now - self.points[-1].at < self.span.step_seconds:
            return self
        points = (*self.points, Point(now, observed))
        begin = max((place for place, one in enumerate(points) if now - one.at >= self.span.seconds), default=0)
        return Sliding(self.span, points[begin:])

    def preceded_by(self, past: Sequence[Point]) -> Sliding:
        """With points from before the first one, oldest first, each with all rows that were counted by then.

        From now on the counts that are handed over must hold the rows of the last of them as well: see ``joined``.
        """
        if not past:
            return self
        later = (Point(point.at, joined(point.observed, past[-1].observed)) for point in self.points)
        return Sliding(self.span, (*past, *later))

    def counted(self, observed: Observed) -> dict[PackageKey, Distributions]:
        """What was counted within the window, when ``observed`` are the counts of now.

        Shortly after a start the window is as long as it has been listened; a version whose rows are all older
        has an empty one.
        """
        past = self.points[0].observed if self.points else {}
        window: dict[PackageKey, Distributions] = {}
        for key, distributions in observed.items():
            counted = distributions.copy()
            if key in past:
                counted.add(past[key], sign=-1)
            window[key] = counted
        return window


def joined(one: Observed, other: Observed) -> dict[PackageKey, Distributions]:
    """The rows of both."""
    both = {key: distributions.copy() for key, distributions in one.items()}
    for key, distributions in other.items():
        both.setdefault(key, Distributions()).add(distributions)
    return both
