"""The audit in a database, whose triggers refuse to change or remove what was written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, Row, insert, select

from deployments.access.audit import Action, AuditEvent, Outcome
from deployments.access.database import AUDIT, transaction


class SqlAuditLog:
    """An audit log in SQLite or PostgreSQL; see AuditLog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def append(self, events: Sequence[AuditEvent]) -> None:
        """See AuditLog."""
        with transaction(self._engine) as connection:
            write(connection, events)

    def latest(self, limit: int) -> tuple[AuditEvent, ...]:
        """See AuditLog."""
        newest_first = select(AUDIT).order_by(AUDIT.c.position.desc()).limit(limit)
        with transaction(self._engine) as connection:
            return tuple(_event(row) for row in connection.execute(newest_first))


def write(connection: Connection, events: Sequence[AuditEvent]) -> None:
    """Write events as a part of a transaction."""
    connection.execute(insert(AUDIT), [_columns(event) for event in events])


def _columns(event: AuditEvent) -> dict[str, str]:
    return {
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": _shortened(event.actor, 300),
        "credential": _shortened(event.credential, 100),
        "action": event.action.value,
        "subject": _shortened(event.subject, 300),
        "outcome": event.outcome.value,
        "detail": json.dumps(dict(event.detail), default=str),
    }


def _shortened(text: str, length: int) -> str:
    """What PostgreSQL takes: one long or odd name must not keep every later event out of the audit."""
    return text.replace("\x00", "").encode(errors="replace").decode()[:length]


def _event(row: Row[tuple[object, ...]]) -> AuditEvent:
    return AuditEvent(
        at=datetime.fromisoformat(row.at),
        actor=row.actor,
        credential=row.credential,
        action=Action(row.action),
        subject=row.subject,
        outcome=Outcome(row.outcome),
        detail=json.loads(row.detail),
    )
