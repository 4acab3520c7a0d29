"""Every decision in a database of the operator's choice, which refuses to change or remove what was written.

Nothing waits for it: decisions are made and kept elsewhere, and come here in order, as soon as it answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, Text, UniqueConstraint, inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from deployments.access import database
from deployments.contracts.secret_reference import given_or_resolved
from deployments.rollout import control_database
from deployments.rollout.control_database import Decision
from deployments.rollout.decision_follower import AUDIT, DecisionFollower

DECISIONS = Table(
    "raygate_decisions",
    MetaData(),
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("source", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("environment", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Column("action", Text, nullable=False),
    Column("policy_epoch", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    # With the time: a source that was set back to a backup gives the same numbers to other decisions.
    UniqueConstraint("source", "number", "at", name="raygate_decisions_are_written_once"),
)
"""Times are ISO 8601 in UTC, and details JSON as text, as in the audit of calls beside it.

A source counts its decisions from 1 on, so a number that is missing is a decision that is.
"""
_INSERT: dict[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision as the audit knows it.

    Attributes:
        source: What made it and counts: a control database, a ModelEndpoint.
        number: Its number there.
        decision: What was decided.
    """

    source: str
    number: int
    decision: Decision


class DecisionAudit:
    """Takes decisions; the same one again, after a crash, is no second row.

    Args:
        store: URI of the database as ``database.connect`` takes it, or a reference to one. It is resolved at the
            first decision: a secret that is not there must not keep a controller from starting.
        environment: Where the decisions hold, for readers.
    """

    def __init__(self, store: str, environment: str) -> None:
        self._store, self._environment = store, environment
        self._prepared: Engine | None = None

    def append(self, entries: Sequence[Entry]) -> None:
        """Append decisions, all or none; the table is made where it is missing.

        Raises:
            StoreUnavailable: The database does not answer.
            SecretUnavailable: The reference to its URI leads nowhere.
        """
        engine = self._prepared or _prepare(given_or_resolved(self._store))
        with database.transaction(engine) as connection:
            # Inline: a role that may insert, and not read, is enough.
            insert = _INSERT[connection.dialect.name](DECISIONS).inline().on_conflict_do_nothing()
            connection.execute(insert, [self._columns(entry) for entry in entries])
        self._prepared = engine

    def _columns(self, entry: Entry) -> dict[str, object]:
        decision = entry.decision
        return {
            "source": entry.source,
            "number": entry.number,
            "environment": self._environment,
            "endpoint": decision.endpoint,
            "at": decision.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "action": decision.action,
            "policy_epoch": decision.policy_epoch,
            "detail": json.dumps(decision.detail, default=str),
        }


def follower(file: Path, audit: DecisionAudit) -> DecisionFollower:
    """What carries the decisions of a control database, all that it ever made."""
    control_database.create(file)
    source = control_database.identity(file)

    def take(number: int, decision: Decision) -> bool:
        audit.append([Entry(source, number, decision)])
        return True

    return DecisionFollower(file, AUDIT, take, whole_history=True)


def _prepare(uri: str) -> Engine:
    engine = database.connect(uri)
    with database.creating(engine) as connection:
        if not inspect(connection).has_table(DECISIONS.name):
            connection.execute(CreateTable(DECISIONS))
            database.make_append_only(connection, DECISIONS)
    return engine
