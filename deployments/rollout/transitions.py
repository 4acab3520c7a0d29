"""From one state of a rollout to the next. Pure: what a controller does next is a function of what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from deployments.contracts.model_version import ModelVersion
from deployments.contracts.rollout_plan import PauseStep, ReplayStep, RolloutPlan, WeightStep
from deployments.contracts.rollout_status import OwedAlias
from deployments.contracts.verdict import OnBreach, Outcome, Verdict
from deployments.rollout.state import Phase, RolloutState

START = -1
"""Position before the first step."""
_NO_ERROR: Mapping[str, Any] = MappingProxyType({"errors": 0, "trouble": ""})


def begin(plan: RolloutPlan, now: datetime) -> RolloutState:
    """The first state: at the first step, or waiting for the approval that comes before any traffic."""
    before = RolloutState(phase=Phase.PROGRESSING, step=START, weight=0, decided=now)
    return next_step(before, plan, now)


def advance(state: RolloutState, plan: RolloutPlan, verdict: Verdict, now: datetime) -> RolloutState:
    """Decide what follows from a verdict.

    Nothing is decided before the weights in force are those that were decided. An unhealthy candidate is withdrawn
    in whatever phase it is, paused ones too. An inconclusive verdict holds: too little traffic is not evidence of
    health. An error holds as well, until the plan's limit of them. What a person approved is held against nobody.
    """
    if state.phase.is_final or state.settled is None:
        return state
    verdict = verdict.accepting(state.approved)
    told = state.model_copy(update={"verdict": verdict, "checked": now})
    match verdict.outcome:
        case Outcome.UNHEALTHY:
            return _unhealthy(told, plan, verdict, now)
        case Outcome.ERROR:
            return failed(told, plan, verdict.reason(), now)
        case Outcome.INCONCLUSIVE:
            return _inconclusive(told.model_copy(update=_NO_ERROR), plan, verdict, now)
        case Outcome.HEALTHY:
            return _healthy(told.model_copy(update=_NO_ERROR), plan, now)


def failed(state: RolloutState, plan: RolloutPlan, reason: str, now: datetime) -> RolloutState:
    """Count something that went wrong with the rollout itself; at the plan's limit the candidate is withdrawn.

    One that waits for its approval before any traffic harms nobody, however long nobody can tell how it does.
    """
    errors = state.errors + 1
    counted = state.model_copy(update={"errors": errors, "trouble": reason, "checked": now})
    is_unseen = state.phase is Phase.AWAITING_APPROVAL and not state.weight and state.settled is not None
    if state.phase.is_final or is_unseen or errors < plan.analysis.error_limit:
        return counted
    return withdraw(counted, Phase.ROLLED_BACK, f"{errors} errors one after another, the last: {reason}", now)


def withdraw(state: RolloutState, phase: Phase, reason: str, now: datetime) -> RolloutState:
    """All traffic to stable. An alias that was to be moved to this candidate is not any more."""
    owed = None if state.moves_alias else state.owed_alias
    return state.model_copy(update={"phase": phase, "reason": reason, "owed_alias": owed, **_weight(0, now)})


def promote(state: RolloutState, plan: RolloutPlan, reason: str, now: datetime) -> RolloutState:
    """All traffic to the candidate, which is stable from now on."""
    update = {"phase": Phase.PROMOTED, "step": len(plan.steps), "reason": reason}
    return state.model_copy(update={**update, "moves_alias": True, **_weight(100, now)})


def next_step(state: RolloutState, plan: RolloutPlan, now: datetime) -> RolloutState:
    """The state at the next step, or promoted beyond the last."""
    position = state.step + 1
    if position >= len(plan.steps):
        return promote(state, plan, "every step was passed", now)
    update: dict[str, Any] = {"phase": Phase.PROGRESSING, "step": position, "entered": now, "reason": ""}
    match plan.steps[position]:
        case WeightStep(weight=weight):
            update |= _weight(weight, now)
        case PauseStep(by=by):
            reason = f"waits for the approval of {by.replace('-', ' ')}"
            update |= {"phase": Phase.AWAITING_APPROVAL, "reason": reason}
        case ReplayStep():
            pass  # the weight stays
    return state.model_copy(update=update)


def settle(state: RolloutState, now: datetime, champion: ModelVersion | None = None) -> RolloutState:
    """Note that the weight is in force.

    Args:
        state: That was decided.
        now: In UTC.
        champion: What the registry's alias is to name from now on; None changes nothing of it.
    """
    owed = state.owed_alias
    if champion is not None:
        owed = OwedAlias(model=champion.model, version=champion.version, since=now)
    return state.model_copy(update={"settled": now, "owed_alias": owed, **_NO_ERROR})


def _weight(weight: float, now: datetime) -> dict[str, Any]:
    """A weight that is decided and not yet in force; evidence and approvals of it begin anew."""
    begun = {"weight": weight, "decided": now, "settled": None, "baseline": None, "checked": None}
    return {**begun, "approved": (), "released": False, **_NO_ERROR}


def _unhealthy(state: RolloutState, plan: RolloutPlan, verdict: Verdict, now: datetime) -> RolloutState:
    if verdict.withdraws and plan.on_failure is OnBreach.ROLLBACK:
        return withdraw(state, Phase.ROLLED_BACK, verdict.reason(), now)
    return state.model_copy(update={"phase": Phase.PAUSED, "reason": verdict.reason(), **_NO_ERROR})


def _inconclusive(state: RolloutState, plan: RolloutPlan, verdict: Verdict, now: datetime) -> RolloutState:
    assert state.settled is not None
    since = max(state.settled, state.entered or state.settled)  # a weight in force may outlast several steps
    if state.phase is not Phase.PROGRESSING or now - since < plan.analysis.timeout:
        return state
    reason = f"inconclusive for too long: {verdict.reason()}"
    if plan.analysis.on_timeout is OnBreach.ROLLBACK:
        return withdraw(state, Phase.ROLLED_BACK, reason, now)
    return state.model_copy(update={"phase": Phase.PAUSED, "reason": reason})


def _healthy(state: RolloutState, plan: RolloutPlan, now: datetime) -> RolloutState:
    assert state.settled is not None
    if state.phase is not Phase.PROGRESSING or plan.is_frozen(now):
        return state
    step = plan.steps[state.step]
    if isinstance(step, WeightStep) and now - state.settled < step.hold:
        return state
    return next_step(state, plan, now)
