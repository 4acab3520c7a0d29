"""The audit: every administrative call, who made it and how it ended; written once, never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from deployments.access.errors import StoreUnavailable


class Action(StrEnum):
    """What was done."""

    KEY_CREATED = "key.created"
    KEY_ROTATED = "key.rotated"
    KEY_REVOKED = "key.revoked"
    ENDPOINT_APPLIED = "endpoint.applied"
    ENDPOINT_DELETED = "endpoint.deleted"
    MODELS_RELOADED = "models.reloaded"
    TRAFFIC_CHANGED = "traffic.changed"
    EXPERIMENT_STARTED = "experiment.started"
    EXPERIMENT_STOPPED = "experiment.stopped"
    RETRAINING_PLANNED = "retraining.planned"
    RETRAINING_STARTED = "retraining.started"
    RETRAINING_APPROVED = "retraining.approved"
    RETRAINING_DECLINED = "retraining.declined"
    ROLLOUT_STARTED = "rollout.started"
    ROLLOUT_PAUSED = "rollout.paused"
    ROLLOUT_RESUMED = "rollout.resumed"
    ROLLOUT_APPROVED = "rollout.approved"
    ROLLOUT_PROMOTED = "rollout.promoted"
    ROLLOUT_ABORTED = "rollout.aborted"
    ROLLOUT_ROLLED_BACK = "rollout.rolled-back"
    LOG_DECRYPTED = "log.decrypted"
    LOG_REENCRYPTED = "log.reencrypted"
    LOG_EXPIRED = "log.expired"
    LOG_ERASED = "log.erased"
    CALL_REFUSED = "call.refused"


class Outcome(StrEnum):
    """How it ended."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One administrative call.

    Attributes:
        at: When it ended.
        actor: Who: a caller's name, or ``<user>@<host>`` of a command line.
        credential: ``key:<key id>``, ``token:<issuer>``, ``command-line``.
        subject: What it was done to: ``key/<key id>``, ``endpoint/<name>``, ``log/<place>``; of a refused call its
            method and path.
        detail: What is needed to understand it: weights before and after, the reason of a refusal. No secrets, no
            personal data.
    """

    at: datetime
    actor: str
    credential: str
    action: Action
    subject: str
    outcome: Outcome = Outcome.DONE
    detail: Mapping[str, object] = field(default_factory=dict)


class AuditLog(Protocol):
    """Where audit events go."""

    def append(self, events: Sequence[AuditEvent]) -> None:
        """Write events, all or none.

        Raises:
            StoreUnavailable: The log does not answer.
        """
        ...

    def latest(self, limit: int) -> tuple[AuditEvent, ...]:
        """The last events, the newest first.

        Raises:
            StoreUnavailable: The log does not answer.
        """
        ...


class MemoryAuditLog:
    """An audit log for tests and trials.

    Attributes:
        is_down: Set it to see what happens without a database.
    """

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []
        self.is_down = False

    def append(self, events: Sequence[AuditEvent]) -> None:
        """See AuditLog."""
        if self.is_down:
            raise StoreUnavailable("memory", "it is down")
        self.events.extend(events)

    def latest(self, limit: int) -> tuple[AuditEvent, ...]:
        """See AuditLog."""
        return tuple(reversed(self.events[-limit:]))
