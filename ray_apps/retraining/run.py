"""One retraining: why it began, how far it is, and what was found on the way. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import Frozen

Numbers = Mapping[str, float | str]


class TriggerKind(StrEnum):
    """What began a run."""

    DRIFT = "drift"
    QUALITY = "quality"
    INTERVAL = "interval"
    PERSON = "person"


class Trigger(Frozen):
    """Why a run began.

    Attributes:
        kind: Which trigger.
        text: For people.
        numbers: What it was decided on.
    """

    kind: TriggerKind
    text: str
    numbers: Numbers = Field(default={})


class State(StrEnum):
    """How far a run is."""

    DECIDED = "decided"
    """Written down; Ray may not know of it yet."""
    RUNNING = "running"
    """Ray has the job."""
    AWAITING_APPROVAL = "awaiting-approval"
    """The challenger has won; a person decides."""
    APPROVED = "approved"
    """Its canary is to begin as soon as nothing else moves the endpoint's weights."""
    CANARY = "canary"
    """Its rollout has begun."""
    OUTDATED = "outdated"
    """Another version became stable before the canary: the challenger was not judged against that one."""
    DECLINED = "declined"
    """A person does not want the challenger that has won."""
    REJECTED = "rejected"
    """There is no better model."""
    FAILED = "failed"
    """Something went wrong; nothing that is served was touched."""

    @property
    def is_active(self) -> bool:
        """Whether something more is done without being asked."""
        return self in (State.DECIDED, State.RUNNING, State.APPROVED)


class Note(Frozen):
    """What happened, when, and on which numbers."""

    at: datetime
    state: State
    text: str
    numbers: Numbers = Field(default={})


class RetrainingRun(Frozen):
    """One run; immutable.

    Attributes:
        name: Also the id of its Ray job.
        endpoint: Whose model.
        model: The registered model.
        champion: Stable when it began.
        trigger: Why it began.
        started: When it was decided.
        started_by: ``monitor``, or a person.
        state: How far it is.
        challenger: The version that was trained.
        notes: What happened, the oldest first.
    """

    name: str
    endpoint: str
    model: str
    champion: Version
    trigger: Trigger
    started: datetime
    started_by: str
    state: State = State.DECIDED
    challenger: Version | None = None
    notes: tuple[Note, ...] = ()

    def after(
        self,
        state: State,
        at: datetime,
        text: str,
        numbers: Numbers | None = None,
        challenger: Version | None = None,
    ) -> RetrainingRun:
        """The run once something has happened."""
        note = Note(at=at, state=state, text=text, numbers=numbers or {})
        made = challenger or self.challenger
        return self.model_copy(update={"state": state, "challenger": made, "notes": (*self.notes, note)})


def under_way(runs: Sequence[RetrainingRun]) -> RetrainingRun | None:
    """The run of which more is done without being asked."""
    return next((run for run in runs if run.state.is_active), None)


def awaiting_approval(runs: Sequence[RetrainingRun]) -> RetrainingRun | None:
    """The newest run that waits for a person; a person may have begun others after it."""
    return next((run for run in reversed(runs) if run.state is State.AWAITING_APPROVAL), None)


def begun(
    endpoint: str, model: str, champion: Version, trigger: Trigger, started_by: str, now: datetime
) -> RetrainingRun:
    """A run that was just decided."""
    return RetrainingRun(
        name=f"retrain-{endpoint}-{now:%Y%m%dT%H%M%SZ}",
        endpoint=endpoint,
        model=model,
        champion=champion,
        trigger=trigger,
        started=now,
        started_by=started_by,
        notes=(Note(at=now, state=State.DECIDED, text=trigger.text, numbers=trigger.numbers),),
    )
