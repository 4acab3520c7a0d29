"""Where retraining touches the world, and the doubles that tests use."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from deployments.batch.errors import JobsUnavailable
from deployments.contracts.model_version import ModelVersion
from ray_apps.retraining.decision import Evidence
from ray_apps.retraining.run import RetrainingRun


class JobState(StrEnum):
    """What became of a run's job."""

    UNKNOWN = "unknown"
    """Nobody has it: it was never submitted, or its cluster is gone."""
    RUNNING = "running"
    ENDED = "ended"
    """It came to its end, and has written down what it found."""
    FAILED = "failed"


class CanaryState(StrEnum):
    """What became of the wish for a canary."""

    BEGUN = "begun"
    WAITING = "waiting"
    """Something else moves the endpoint's weights; it can be asked for again."""
    NOT_POSSIBLE = "not-possible"
    """A person has to change something first."""
    OUTDATED = "outdated"
    """The champion is not stable any more; asking again would not help."""


@dataclass(frozen=True, slots=True)
class Canary:
    """An answer of ``Serving.begin_canary``."""

    state: CanaryState
    text: str


class Jobs(Protocol):
    """Whoever runs jobs."""

    def submit(self, run: RetrainingRun) -> None:
        """Submit a run's job; repeated, it runs once.

        Raises:
            JobsUnavailable: Nobody takes it now.
        """
        ...

    def state(self, run: RetrainingRun) -> tuple[JobState, str]:
        """What became of a run's job, and what is said of it.

        Raises:
            JobsUnavailable: Nobody can tell now.
        """
        ...


class Serving(Protocol):
    """The endpoint that is watched."""

    def stable(self, endpoint: str) -> ModelVersion:
        """The version that is stable now.

        Raises:
            UnknownEndpoint: Nothing of that name was applied.
        """
        ...

    def evidence(self, stable: ModelVersion) -> Evidence | None:
        """What the monitor says of it; None if it is silent."""
        ...

    def labelled(self, endpoint: str, since: datetime) -> int:
        """Predictions that were given a label since a moment."""
        ...

    def begin_canary(self, run: RetrainingRun) -> Canary:
        """Serve the challenger without traffic and begin its rollout; repeated, it begins once.

        Only where the run's champion is still stable.
        """
        ...


@dataclass
class MemoryJobs:
    """Jobs that a test ends.

    Attributes:
        states: By name of the run.
        away: Whether nobody answers.
    """

    states: dict[str, JobState] = field(default_factory=dict)
    away: bool = False

    def submit(self, run: RetrainingRun) -> None:
        """See Jobs."""
        self._check()
        self.states.setdefault(run.name, JobState.RUNNING)

    def state(self, run: RetrainingRun) -> tuple[JobState, str]:
        """See Jobs."""
        self._check()
        return self.states.get(run.name, JobState.UNKNOWN), ""

    def _check(self) -> None:
        if self.away:
            raise JobsUnavailable("memory", "does not answer")


@dataclass
class MemoryServing:
    """An endpoint that a test writes.

    Attributes:
        version: Stable.
        seen: What the monitor says.
        labels: Predictions with a label.
        answer: To the wish for a canary.
        canaries: Runs whose canary was asked for.
    """

    version: ModelVersion
    seen: Evidence | None = None
    labels: int = 10_000
    answer: Canary = Canary(CanaryState.BEGUN, "rollout-1")
    canaries: list[str] = field(default_factory=list)

    def stable(self, endpoint: str) -> ModelVersion:
        """See Serving."""
        return self.version

    def evidence(self, stable: ModelVersion) -> Evidence | None:
        """See Serving."""
        return self.seen

    def labelled(self, endpoint: str, since: datetime) -> int:
        """See Serving."""
        return self.labels

    def begin_canary(self, run: RetrainingRun) -> Canary:
        """See Serving."""
        self.canaries.append(run.name)
        return self.answer
