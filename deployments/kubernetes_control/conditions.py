"""Conditions of a resource's status, as Kubernetes' conventions have them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

MESSAGE_LIMIT = 2000


class Type(StrEnum):
    """What a condition is about."""

    ACCEPTED = "Accepted"
    """Whether what the owner wants now can be done at all."""
    PROGRESSING = "Progressing"
    """Whether the controller is on its way there."""
    READY = "Ready"
    """Whether what was accepted last is in force."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One fact about an endpoint.

    Attributes:
        holds: Whether it is so; None if nobody can tell.
        reason: One word, for programs.
        message: For people.
    """

    type: Type
    holds: bool | None
    reason: str
    message: str = ""

    @property
    def status(self) -> str:
        """``True``, ``False`` or ``Unknown``."""
        return "Unknown" if self.holds is None else str(self.holds)


def merged(
    known: Iterable[dict[str, Any]], told: Iterable[Condition], generation: int, now: datetime
) -> list[dict[str, Any]]:
    """Conditions with news among them; a transition time moves only when a status does.

    Args:
        known: As they stand in the resource.
        told: What is known now; conditions of other types stay.
        generation: Of the spec that was looked at.
        now: In UTC.
    """
    by_type = {condition["type"]: condition for condition in known}
    for condition in told:
        before = by_type.get(condition.type.value)
        same = before is not None and before["status"] == condition.status
        by_type[condition.type.value] = {
            "type": condition.type.value,
            "status": condition.status,
            "observedGeneration": generation,
            "lastTransitionTime": before["lastTransitionTime"] if before and same else timestamp(now),
            "reason": condition.reason,
            "message": condition.message[:MESSAGE_LIMIT],
        }
    return list(by_type.values())


def timestamp(moment: datetime) -> str:
    """A moment as Kubernetes writes it in a status: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
