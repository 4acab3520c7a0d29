"""A rollout's state as people are told of it. Pure."""

from __future__ import annotations

from datetime import datetime

from deployments.contracts.rollout_plan import WeightStep
from deployments.contracts.rollout_status import RolloutStatus
from deployments.rollout.state import Phase, Rollout


def status_of(rollout: Rollout) -> RolloutStatus:
    """The status document of a rollout."""
    state = rollout.state
    return RolloutStatus(
        rollout=rollout.name,
        endpoint=rollout.endpoint,
        stable=rollout.stable,
        candidate=rollout.candidate,
        phase=state.phase.value,
        step=min(state.step + 1, len(rollout.plan.steps)),
        steps=len(rollout.plan.steps),
        weight=state.weight,
        in_force=state.settled is not None,
        since=state.decided,
        next_step_not_before=_next_step(rollout),
        next_verdict_not_before=_next_verdict(rollout),
        reason=state.reason,
        trouble=state.trouble,
        started=rollout.started,
        started_by=rollout.started_by,
        verdict=state.verdict,
        judged=state.checked,
        owed_alias=state.owed_alias,
    )


def is_over(status: RolloutStatus) -> bool:
    """Whether the rollout moves nothing any more: its last decision is in force."""
    return Phase(status.phase).is_final and status.in_force


def _next_step(rollout: Rollout) -> datetime | None:
    state, step = rollout.state, rollout.step
    if state.phase is not Phase.PROGRESSING or state.settled is None or not isinstance(step, WeightStep):
        return None
    return state.settled + step.hold


def _next_verdict(rollout: Rollout) -> datetime | None:
    state = rollout.state
    if state.phase.is_final or state.settled is None:
        return None
    return (state.checked or state.settled) + rollout.plan.analysis.interval
