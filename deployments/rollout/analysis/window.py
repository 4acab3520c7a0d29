"""What candidate and stable did since the weights that are in force were taken over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deployments.contracts.rollout_checks import AnyCheck, QueryCheck
from deployments.contracts.snapshot import VersionCounts
from deployments.contracts.verdict import Finding, Outcome
from deployments.rollout.statistics.interval import Interval
from deployments.rollout.statistics.sample import Sample


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query of the plan came to.

    Attributes:
        value: None where there is no number.
        trouble: Why nobody can tell, or empty.
    """

    value: float | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """One version's part.

    Attributes:
        counts: What the gateways counted.
        labels: 1 for a prediction that a label bore out, 0 for another; None if nobody can tell.
        values: Values that feedback brought; None if nobody can tell.
        answers: To the plan's queries, by name.
    """

    counts: VersionCounts = field(default_factory=VersionCounts)
    labels: Sample | None = None
    values: Sample | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """Requests, whatever became of them."""
        return sum(self.counts.requests.values())


@dataclass(frozen=True, slots=True)
class Window:
    """Both parts, over the same time."""

    candidate: Observed
    stable: Observed


@dataclass(frozen=True, slots=True)
class Terms:
    """What every check of a plan is held to.

    Attributes:
        min_requests: Of the candidate before it can be healthy.
        alpha: Probability with which a check may withdraw a sound candidate, over all looks.
    """

    min_requests: int
    alpha: float


def against_limit(found: Interval, limit: float, enough: bool) -> Outcome:
    """Place a figure that must not be over a limit.

    Args:
        found: The figure.
        limit: Of the plan.
        enough: Whether there is as much data as the plan asks for before it believes in health.
    """
    if found.lower > limit:
        return Outcome.UNHEALTHY
    return Outcome.HEALTHY if enough and found.estimate <= limit else Outcome.INCONCLUSIVE


def worst(outcomes: list[Outcome]) -> Outcome:
    """The one of several parts of a check that decides."""
    return next(
        outcome
        for outcome in (Outcome.UNHEALTHY, Outcome.ERROR, Outcome.INCONCLUSIVE, Outcome.HEALTHY)
        if outcome in outcomes
    )


def finding(check: AnyCheck, outcome: Outcome, message: str, evidence: dict[str, float]) -> Finding:
    """What a check found, with what its plan says about it."""
    return Finding(
        check=f"{check.check} {check.name}" if isinstance(check, QueryCheck) else check.check,
        outcome=outcome,
        message=message,
        evidence=evidence,
        on_breach=check.on_breach,
        required=check.required,
    )
