"""What people may tell a rollout, and what follows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from deployments.contracts.rollout_plan import PauseStep, ReplayStep
from deployments.rollout import transitions
from deployments.rollout.errors import CommandRefused
from deployments.rollout.state import Phase, Rollout, RolloutState


class Command(StrEnum):
    """What a person may ask."""

    PAUSE = "pause"
    RESUME = "resume"
    APPROVE = "approve"
    PROMOTE = "promote"
    ABORT = "abort"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Request:
    """A command of somebody.

    Attributes:
        command: What is asked.
        actor: Who asks.
        now: When.
    """

    command: Command
    actor: str
    now: datetime


def obey(rollout: Rollout, request: Request) -> RolloutState:
    """The state that follows.

    Raises:
        CommandRefused: The phase does not allow it, the actor may not, or a freeze holds.
    """
    allowed = _ALLOWED[request.command]
    phase = rollout.state.phase
    if phase not in allowed:
        phases = " or ".join(sorted(allowed))
        raise CommandRefused(
            rollout.name, request.command, f"the rollout is {phase}; this takes one that is {phases}"
        )
    if request.command in _GIVE_TRAFFIC and rollout.plan.is_frozen(request.now):
        reason = "a freeze of the plan holds; no candidate gets more traffic now"
        raise CommandRefused(rollout.name, request.command, reason)
    return _ACTIONS[request.command](rollout, request)


def _pause(rollout: Rollout, request: Request) -> RolloutState:
    return rollout.state.model_copy(update={"phase": Phase.PAUSED, "reason": f"paused by {request.actor}"})


def _resume(rollout: Rollout, request: Request) -> RolloutState:
    """Go on where it was; what it has to wait for or to show, it still has to."""
    breached = _breached(rollout)
    if breached:
        reason = f"{', '.join(breached)} is over its limit; `approve` goes on all the same"
        raise CommandRefused(rollout.name, request.command, reason)
    return _go_on(rollout, f"resumed by {request.actor}", request.now)


def _go_on(rollout: Rollout, reason: str, now: datetime) -> RolloutState:
    waits = isinstance(rollout.step, PauseStep)
    phase = Phase.AWAITING_APPROVAL if waits else Phase.PROGRESSING
    return rollout.state.model_copy(update={"phase": phase, "entered": now, "reason": reason})


def _breached(rollout: Rollout) -> tuple[str, ...]:
    """Checks over their limit that nobody has approved."""
    verdict = rollout.state.verdict
    return tuple(check for check in verdict.breached if check not in rollout.state.approved) if verdict else ()


def _approve(rollout: Rollout, request: Request) -> RolloutState:
    """Pass a step that waits for it, or go on though a check that holds the rollout is over its limit."""
    if rollout.state.phase is Phase.PAUSED:
        return _approve_breach(rollout, request)
    step = rollout.step
    if isinstance(step, PauseStep):
        _check_approver(rollout, request, (step,))
    following = transitions.next_step(rollout.state, rollout.plan, request.now)
    return following.model_copy(update={"reason": f"approved by {request.actor}"})


def _approve_breach(rollout: Rollout, request: Request) -> RolloutState:
    breached = _breached(rollout)
    if not breached:
        raise CommandRefused(rollout.name, request.command, "no check is over its limit; `resume` goes on")
    _check_approver(rollout, request, [step for step in rollout.plan.steps if isinstance(step, PauseStep)])
    approved = tuple(sorted({*rollout.state.approved, *breached}))
    went_on = _go_on(rollout, f"{', '.join(breached)} approved by {request.actor}", request.now)
    return went_on.model_copy(update={"approved": approved})


def _check_approver(rollout: Rollout, request: Request, steps: Sequence[PauseStep]) -> None:
    """Whoever started a rollout approves nothing of it, unless every one of some steps lets anybody.

    Raises:
        CommandRefused: The actor started it.
    """
    if request.actor != rollout.started_by or (steps and all(step.by == "anybody" for step in steps)):
        return
    reason = (
        f"{request.actor} started the rollout; somebody else approves (where a step says `by: anybody`, anybody)"
    )
    raise CommandRefused(rollout.name, request.command, reason)


def _promote(rollout: Rollout, request: Request) -> RolloutState:
    """Past the weights that are left, but past no gate: whoever may promote need not be who may approve."""
    left = rollout.plan.steps[rollout.state.step :]
    for gate, named in ((PauseStep, "an approval"), (ReplayStep, "a replay")):
        if any(isinstance(step, gate) for step in left):
            raise CommandRefused(rollout.name, request.command, f"the plan asks for {named} before the end")
    breached = _breached(rollout)
    if breached:
        reason = f"{', '.join(breached)} is over its limit; `approve` comes first"
        raise CommandRefused(rollout.name, request.command, reason)
    return transitions.promote(rollout.state, rollout.plan, f"promoted by {request.actor}", request.now)


def _abort(rollout: Rollout, request: Request) -> RolloutState:
    return transitions.withdraw(rollout.state, Phase.ABORTED, f"aborted by {request.actor}", request.now)


def _rollback(rollout: Rollout, request: Request) -> RolloutState:
    return transitions.withdraw(rollout.state, Phase.ROLLED_BACK, f"rolled back by {request.actor}", request.now)


_GIVE_TRAFFIC = frozenset({Command.APPROVE, Command.PROMOTE})
_RUNNING = frozenset({Phase.PROGRESSING, Phase.PAUSED, Phase.AWAITING_APPROVAL})
_ALLOWED: Mapping[Command, frozenset[Phase]] = MappingProxyType(
    {
        Command.PAUSE: frozenset({Phase.PROGRESSING, Phase.AWAITING_APPROVAL}),
        Command.RESUME: frozenset({Phase.PAUSED}),
        Command.APPROVE: frozenset({Phase.AWAITING_APPROVAL, Phase.PAUSED}),
        Command.PROMOTE: frozenset({Phase.PROGRESSING, Phase.PAUSED}),
        Command.ABORT: _RUNNING,
        Command.ROLLBACK: _RUNNING | {Phase.PROMOTED},
    }
)
_ACTIONS: Mapping[Command, Callable[[Rollout, Request], RolloutState]] = MappingProxyType(
    {
        Command.PAUSE: _pause,
        Command.RESUME: _resume,
        Command.APPROVE: _approve,
        Command.PROMOTE: _promote,
        Command.ABORT: _abort,
        Command.ROLLBACK: _rollback,
    }
)
