"""What an endpoint's conditions say after a look at it. Pure."""

from __future__ import annotations

from deployments.contracts.errors import DeployFailed, RaygateError, TrafficNotApplied
from deployments.kubernetes_control.conditions import Condition, Type
from deployments.kubernetes_control.errors import ServiceMissing, ServiceUpgrading

_ACCEPTED = Condition(Type.ACCEPTED, True, "Accepted")


def refused(error: RaygateError) -> list[Condition]:
    """The document cannot be served as it is; what was accepted before stays in force."""
    reason = type(error).__name__
    kept = "what was accepted before, if anything, stays in force"
    return [Condition(Type.ACCEPTED, False, reason, str(error)), Condition(Type.PROGRESSING, False, reason, kept)]


def waiting(missing: list[str]) -> list[Condition]:
    """Pools are on their way; traffic has not moved."""
    note = f"not up yet: {', '.join(missing)}"
    return [_ACCEPTED, Condition(Type.PROGRESSING, True, "WaitingForPools", note)]


def failed(error: DeployFailed) -> list[Condition]:
    """A pool did not come up; it is tried again."""
    return [_ACCEPTED, Condition(Type.PROGRESSING, False, "PoolFailed", str(error))]


def not_applied(error: TrafficNotApplied) -> list[Condition]:
    """The cluster cannot be told, or does not follow; it is tried again.

    A cluster that is being upgraded serves what it served; where there is none, nothing is; else nobody knows.
    """
    reason = "NotApplied" if type(error) is TrafficNotApplied else type(error).__name__
    told = [_ACCEPTED, Condition(Type.PROGRESSING, False, reason, str(error))]
    if isinstance(error, ServiceUpgrading):
        return told
    holds = False if isinstance(error, ServiceMissing) else None
    return [*told, Condition(Type.READY, holds, reason, str(error))]


def still_served(error: RaygateError) -> list[Condition]:
    """The endpoint is to go, and its traffic has not ended yet."""
    return [Condition(Type.PROGRESSING, True, "StillServed", str(error))]


def in_force() -> list[Condition]:
    """Every gateway follows."""
    return [
        _ACCEPTED,
        Condition(Type.PROGRESSING, False, "Done"),
        Condition(Type.READY, True, "InForce", "every gateway follows"),
    ]
