"""What the controller says of a rollout."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.traffic_policy import Frozen
from deployments.contracts.verdict import Verdict


class OwedAlias(Frozen):
    """The registry's alias ``champion``, which is still to be moved to a version whose promotion is in force.

    Attributes:
        model: Whose alias it is.
        version: That it is to name.
        since: When that came into force.
        trouble: Why the last attempt failed; empty before the first one did.
    """

    model: str
    version: Version
    since: datetime
    trouble: str = ""

    @property
    def champion(self) -> ModelVersion:
        """What the alias is to name."""
        return ModelVersion(self.model, self.version)


class RolloutStatus(Frozen):
    """A rollout at one moment.

    Attributes:
        rollout: Its name.
        endpoint: Whose weights it moves.
        stable: The version that is compared with.
        candidate: The version that is to earn its traffic.
        phase: What it does.
        step: Counted from 1; 0 before the first.
        steps: Of the plan.
        weight: Share of the candidate that was decided, in per cent.
        in_force: Whether every gateway follows.
        since: When it was decided.
        next_step_not_before: When the step's time is over; None if time alone moves nothing.
        next_verdict_not_before: When it is judged next; None while nothing is judged.
        reason: Why it is in its phase.
        trouble: What went wrong last with the rollout itself, or empty.
        started: When.
        started_by: Who.
        verdict: The last one.
        judged: When.
        owed_alias: What the registry is still to be told; nothing of the traffic waits for that.
    """

    rollout: str
    endpoint: str
    stable: Version
    candidate: Version
    phase: str
    step: int
    steps: int
    weight: float
    in_force: bool
    since: datetime
    next_step_not_before: datetime | None
    next_verdict_not_before: datetime | None
    reason: str
    trouble: str
    started: datetime
    started_by: str
    verdict: Verdict | None
    judged: datetime | None
    owed_alias: OwedAlias | None = None


class DecisionEntry(Frozen):
    """One decision of an endpoint's history.

    Attributes:
        at: When.
        action: What was decided.
        policy_epoch: Of the policy that follows.
        detail: Weights, reason, actor, and the verdict with its evidence.
    """

    at: datetime
    action: str
    policy_epoch: int
    detail: dict[str, Any]
