"""A rollout: what was planned, and how far it is."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.rollout_plan import RolloutPlan, Step
from deployments.contracts.rollout_status import OwedAlias
from deployments.contracts.traffic_policy import Frozen
from deployments.contracts.verdict import Verdict


class Phase(StrEnum):
    """What a rollout does."""

    PROGRESSING = "progressing"
    PAUSED = "paused"
    AWAITING_APPROVAL = "awaiting approval"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"
    ABORTED = "aborted"

    @property
    def is_final(self) -> bool:
        """Whether nothing is decided any more."""
        return self in (Phase.PROMOTED, Phase.ROLLED_BACK, Phase.ABORTED)


class RolloutState(Frozen):
    """How far a rollout is. What is decided is written here first and done afterwards.

    Attributes:
        phase: What it does.
        step: Position in the plan's steps.
        weight: Share of the candidate that was decided, in per cent.
        decided: When the weight was decided.
        entered: When its step was entered, or the rollout was resumed there; None in states of before.
        settled: When every gateway had taken the weight over; None while that is still to be made sure of.
        checked: When the last verdict was given.
        errors: Verdicts in error, one after another.
        trouble: What the last of those errors said, or empty.
        reason: Why it is in its phase.
        verdict: The last one.
        baseline: Cumulative figures of the versions soon after the weight was settled (``VersionCounts.to_plain``
            by version): what is judged is what came since. None before they are taken.
        counted_by: Whose sums the baseline is made of.
        capacity: Replicas of stable's pool before the first weight: what carried all of the traffic. None before
            that is known.
        released: Whether pools may be as small as their owner wants again: noted after the end is in force.
        approved: Checks over whose limit the candidate may be: somebody approved what they found at this weight.
        moves_alias: Whether the registry's alias follows this rollout: from its promotion on.
        owed_alias: A move of that alias which is still to be made, by this rollout or by the one before it.
    """

    phase: Phase
    step: int
    weight: float
    decided: datetime
    entered: datetime | None = None
    settled: datetime | None = None
    checked: datetime | None = None
    errors: int = 0
    trouble: str = ""
    reason: str = ""
    verdict: Verdict | None = None
    baseline: dict[str, dict[str, Any]] | None = None
    counted_by: str = ""
    capacity: int | None = None
    released: bool = False
    approved: tuple[str, ...] = ()
    moves_alias: bool = False
    owed_alias: OwedAlias | None = None


class Rollout(Frozen):
    """One rollout of one endpoint.

    Attributes:
        name: Unique, and the ``experiment`` of every record of its requests.
        endpoint: Name of the endpoint.
        model: Its model.
        stable: The version that is compared with.
        candidate: The version that is to earn its traffic.
        plan: How.
        started: When.
        started_by: Who.
        revision: Rises with every change that is written.
        state: How far it is.
    """

    name: str
    endpoint: str
    model: str
    stable: Version
    candidate: Version
    plan: RolloutPlan
    started: datetime
    started_by: str
    revision: int = 0
    state: RolloutState

    @property
    def is_active(self) -> bool:
        """Whether it owns the endpoint's weights: until its last decision is in force."""
        return not (self.state.phase.is_final and self.state.settled is not None)

    @property
    def holds_capacity(self) -> bool:
        """Whether it is over, and its pools have still to be told that they may shrink."""
        return not self.is_active and self.state.capacity is not None and not self.state.released

    @property
    def is_moving(self) -> bool:
        """Whether weights or replicas that it decided on are on their way."""
        return self.state.settled is None or self.holds_capacity

    @property
    def step(self) -> Step | None:
        """The step it is at; None beyond the last."""
        steps = self.plan.steps
        return steps[self.state.step] if self.state.step < len(steps) else None

    @property
    def weights(self) -> dict[Version, float]:
        """What was decided of the endpoint's split."""
        return {self.stable: 100 - self.state.weight, self.candidate: self.state.weight}

    @property
    def owed_champion(self) -> ModelVersion | None:
        """What the registry's alias is to name, and does not yet."""
        return self.state.owed_alias.champion if self.state.owed_alias else None

    @property
    def champion(self) -> Version:
        """The version that answers when others cannot."""
        return self.candidate if self.state.phase is Phase.PROMOTED else self.stable

    def at(self, state: RolloutState) -> Rollout:
        """The rollout with another state."""
        return self.model_copy(update={"state": state})
