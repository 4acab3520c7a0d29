"""What is wanted of every endpoint, and every decision that led to it, in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deployments.contracts.endpoint import ModelEndpoint
from deployments.contracts.traffic_policy import TrafficPolicy

_TABLES = """
CREATE TABLE IF NOT EXISTS endpoints (
    name TEXT PRIMARY KEY, generation INTEGER NOT NULL, document TEXT NOT NULL, policy TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, endpoint TEXT NOT NULL, action TEXT NOT NULL,
    policy_epoch INTEGER NOT NULL, detail TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS decisions_are_not_rewritten BEFORE UPDATE ON decisions
    BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER IF NOT EXISTS decisions_are_not_removed BEFORE DELETE ON decisions
    BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
"""


@dataclass(frozen=True, slots=True)
class WantedEndpoint:
    """An endpoint as it should be.

    Attributes:
        document: The endpoint file that was last applied.
        generation: Counts the different files that were applied.
        policy: The traffic policy in force: the file's split, or a recorded override of it.
    """

    document: ModelEndpoint
    generation: int
    policy: TrafficPolicy


@dataclass(frozen=True, slots=True)
class Decision:
    """One entry of the history."""

    at: datetime
    endpoint: str
    action: str
    policy_epoch: int
    detail: dict[str, object]


class EndpointStore:
    """Wanted endpoints and the append-only history of decisions; every write is one transaction."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        with self._transaction() as database:
            database.executescript(_TABLES)

    def endpoints(self) -> dict[str, WantedEndpoint]:
        """Every endpoint by name."""
        with self._transaction() as database:
            rows = database.execute("SELECT name, generation, document, policy FROM endpoints ORDER BY name")
            return {name: _wanted(generation, document, policy) for name, generation, document, policy in rows}

    def last_epoch(self) -> int:
        """The newest policy epoch that was ever decided; 0 before the first."""
        with self._transaction() as database:
            (epoch,) = database.execute("SELECT coalesce(max(policy_epoch), 0) FROM decisions").fetchone()
            return int(epoch)

    def decide(self, wanted: WantedEndpoint, action: str, detail: dict[str, object], at: datetime) -> None:
        """Record a decision and what is wanted from now on, both or neither."""
        name, policy = wanted.document.name, wanted.policy
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO endpoints VALUES (?, ?, ?, ?)",
                (
                    name,
                    wanted.generation,
                    wanted.document.model_dump_json(by_alias=True),
                    policy.model_dump_json(by_alias=True),
                ),
            )
            _record(database, at, name, action, policy.policy_epoch, detail)

    def forget(self, wanted: WantedEndpoint, at: datetime) -> None:
        """Record that an endpoint is to be served no more; its history stays."""
        name = wanted.document.name
        with self._transaction() as database:
            database.execute("DELETE FROM endpoints WHERE name = ?", (name,))
            _record(database, at, name, "delete", wanted.policy.policy_epoch, {})

    def history(self, endpoint: str) -> list[Decision]:
        """Decisions on an endpoint, the oldest first."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT at, endpoint, action, policy_epoch, detail FROM decisions WHERE endpoint = ? ORDER BY id",
                (endpoint,),
            )
            return [
                Decision(datetime.fromisoformat(at), name, action, epoch, json.loads(detail))
                for at, name, action, epoch, detail in rows
            ]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self._file, timeout=10)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            with database:
                yield database
        finally:
            database.close()


def _record(
    database: sqlite3.Connection, at: datetime, endpoint: str, action: str, epoch: int, detail: dict[str, object]
) -> None:
    database.execute(
        "INSERT INTO decisions (at, endpoint, action, policy_epoch, detail) VALUES (?, ?, ?, ?, ?)",
        (at.isoformat(), endpoint, action, epoch, json.dumps(detail)),
    )


def _wanted(generation: int, document: str, policy: str) -> WantedEndpoint:
    return WantedEndpoint(
        ModelEndpoint.model_validate_json(document), generation, TrafficPolicy.model_validate_json(policy)
    )
