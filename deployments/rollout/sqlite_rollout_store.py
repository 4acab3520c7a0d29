"""Rollouts in the control plane's SQLite file: state, weights and history change in one transaction."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

from deployments.rollout import control_database
from deployments.rollout.control_database import Decision, transaction
from deployments.rollout.endpoint_store import WantedEndpoint, read_endpoints, write_endpoint
from deployments.rollout.errors import NotLeading, RolloutChanged
from deployments.rollout.rollout_store import Change
from deployments.rollout.state import Rollout


class SqliteRolloutStore:
    """See RolloutStore."""

    def __init__(self, file: Path) -> None:
        self._file = file
        control_database.create(file)

    def endpoints(self) -> dict[str, WantedEndpoint]:
        """See RolloutStore."""
        with transaction(self._file) as database:
            return read_endpoints(database)

    def rollouts(self) -> dict[str, Rollout]:
        """See RolloutStore."""
        with transaction(self._file) as database:
            return _rollouts(database)

    def last_epoch(self) -> int:
        """See RolloutStore."""
        with transaction(self._file) as database:
            return control_database.last_epoch(database)

    def write(self, change: Change) -> Rollout:
        """See RolloutStore."""
        read = change.rollout
        written = read.model_copy(update={"revision": read.revision + 1})
        with transaction(self._file) as database:
            known = _rollouts(database).get(read.endpoint)
            if not change.fits(known, read_endpoints(database).get(read.endpoint)):
                raise RolloutChanged(read.name)
            _put(database, written)
            if change.leader is not None:
                _check_leads(database, change.leader)
            if change.wanted is not None:
                write_endpoint(database, change.wanted)
            if change.decision is not None:
                control_database.record(database, change.decision)
        return written

    def lead(self, holder: str, now: datetime, lease: timedelta) -> bool:
        """See RolloutStore."""
        with transaction(self._file) as database:
            taken = database.execute(
                "INSERT INTO lease VALUES (1, ?1, ?2) ON CONFLICT (id) DO UPDATE SET holder = ?1, until = ?2 "
                "WHERE holder = ?1 OR until <= ?3",
                (holder, (now + lease).timestamp(), now.timestamp()),
            )
            return taken.rowcount == 1

    def history(self, endpoint: str) -> list[Decision]:
        """See RolloutStore."""
        with transaction(self._file) as database:
            return control_database.history(database, endpoint)


def _rollouts(database: sqlite3.Connection) -> dict[str, Rollout]:
    rows = database.execute("SELECT endpoint, document FROM rollouts ORDER BY endpoint")
    return {endpoint: Rollout.model_validate_json(document) for endpoint, document in rows}


def _put(database: sqlite3.Connection, written: Rollout) -> None:
    database.execute(
        "INSERT OR REPLACE INTO rollouts (endpoint, name, revision, document) VALUES (?, ?, ?, ?)",
        (written.endpoint, written.name, written.revision, written.model_dump_json(by_alias=True)),
    )


def _check_leads(database: sqlite3.Connection, holder: str) -> None:
    row = database.execute("SELECT holder FROM lease WHERE id = 1").fetchone()
    if row is None or row[0] != holder:
        raise NotLeading(holder)
