"""A decision on a rollout as it is written: the rollout, the history's entry and the weights that follow."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from deployments.rollout import policy
from deployments.rollout.control_database import Decision
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.rollout_store import Change, RolloutStore
from deployments.rollout.state import Rollout


def change_of(
    store: RolloutStore, rollout: Rollout, now: datetime, leader: str | None = None, actor: str = "controller"
) -> Change:
    """A decision on a rollout, with the policy that follows from it where its weights are not in force yet.

    Args:
        store: Has the endpoint.
        rollout: As it is to be.
        now: When it is decided.
        leader: The controller that decides; None for a person.
        actor: Who decides.
    """
    state = rollout.state
    wanted = store.endpoints()[rollout.endpoint]
    epoch = wanted.policy.policy_epoch
    changed: WantedEndpoint | None = None
    if state.settled is None:
        epoch = store.last_epoch() + 1
        changed = replace(wanted, policy=policy.of_rollout(wanted, rollout, epoch))
    detail: dict[str, object] = {
        "rollout": rollout.name,
        "model": rollout.model,
        "started": rollout.started.isoformat(),
        "phase": state.phase.value,
        "step": state.step,
        "weights": {str(version): weight for version, weight in rollout.weights.items()},
        "reason": state.reason,
        "actor": actor,
        "verdict": state.verdict.model_dump(mode="json") if state.verdict else None,
    }
    decision = Decision(now, rollout.endpoint, f"rollout {state.phase.value}", epoch, detail)
    return Change(rollout, decision, changed, leader, wanted.policy.policy_epoch)
