"""What retraining remembers: plans, windows and runs, in one SQLite file that survives whoever writes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from deployments.contracts.traffic_policy import Frozen
from deployments.rollout.control_database import transaction
from ray_apps.retraining.decision import DriftWindow
from ray_apps.retraining.errors import NotWatched, UnknownRun
from ray_apps.retraining.plan import RetrainingPlan
from ray_apps.retraining.run import RetrainingRun

_TABLES = """
CREATE TABLE IF NOT EXISTS plans (endpoint TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS windows (endpoint TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, endpoint TEXT NOT NULL,
    document TEXT NOT NULL);
"""
_WINDOWS = TypeAdapter(tuple[DriftWindow, ...])

Begin = Callable[[Sequence[RetrainingRun]], RetrainingRun | None]
"""From the runs of an endpoint to the next one, or to none."""


class AppliedPlan(Frozen):
    """A plan in force.

    Attributes:
        plan: As its document says.
        training: The training document as it was then, JSON: a file that changes later changes no plan.
        directory: Where paths in the training document are counted from.
        applied: When.
    """

    plan: RetrainingPlan
    training: str
    directory: Path
    applied: datetime


class Journal:
    """The file. Every change is one transaction; two writers wait for each other.

    Args:
        file: Made if it is not there.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        with transaction(file) as database:
            database.executescript(_TABLES)

    def apply(self, plan: AppliedPlan) -> None:
        """Put a plan in force; windows that were seen under another one are forgotten."""
        endpoint = plan.plan.endpoint
        with transaction(self._file) as database:
            database.execute("INSERT OR REPLACE INTO plans VALUES (?, ?)", (endpoint, plan.model_dump_json()))
            database.execute("DELETE FROM windows WHERE endpoint = ?", (endpoint,))

    def forget(self, endpoint: str) -> None:
        """Retrain an endpoint no more; its runs stay.

        Raises:
            NotWatched: It has no plan.
        """
        self.plan(endpoint)
        with transaction(self._file) as database:
            database.execute("DELETE FROM plans WHERE endpoint = ?", (endpoint,))
            database.execute("DELETE FROM windows WHERE endpoint = ?", (endpoint,))

    def plans(self) -> dict[str, AppliedPlan]:
        """Plans in force, by endpoint."""
        with transaction(self._file) as database:
            rows = database.execute("SELECT endpoint, document FROM plans ORDER BY endpoint").fetchall()
        return {endpoint: AppliedPlan.model_validate_json(document) for endpoint, document in rows}

    def plan(self, endpoint: str) -> AppliedPlan:
        """The plan of an endpoint.

        Raises:
            NotWatched: It has none.
        """
        plans = self.plans()
        if endpoint not in plans:
            raise NotWatched(endpoint, tuple(plans))
        return plans[endpoint]

    def windows(self, endpoint: str) -> tuple[DriftWindow, ...]:
        """The latest windows, the oldest first."""
        with transaction(self._file) as database:
            row = database.execute("SELECT document FROM windows WHERE endpoint = ?", (endpoint,)).fetchone()
        return _WINDOWS.validate_json(row[0]) if row else ()

    def remember(self, endpoint: str, windows: tuple[DriftWindow, ...]) -> None:
        """Replace the windows."""
        with transaction(self._file) as database:
            document = _WINDOWS.dump_json(windows).decode()
            database.execute("INSERT OR REPLACE INTO windows VALUES (?, ?)", (endpoint, document))

    def runs(self, endpoint: str) -> list[RetrainingRun]:
        """Every run, the oldest first."""
        with transaction(self._file) as database:
            return _runs(database, endpoint)

    def run(self, name: str) -> RetrainingRun:
        """A run by its name.

        Raises:
            UnknownRun: There is none.
        """
        with transaction(self._file) as database:
            return _run(database, name)

    def begin(self, endpoint: str, decide: Begin) -> RetrainingRun | None:
        """Decide on a run and write it down, with nobody else deciding meanwhile."""
        with transaction(self._file) as database:
            run = decide(_runs(database, endpoint))
            if run is not None:
                values = (run.name, run.endpoint, run.model_dump_json())
                database.execute("INSERT INTO runs (name, endpoint, document) VALUES (?, ?, ?)", values)
            return run

    def change(self, name: str, change: Callable[[RetrainingRun], RetrainingRun]) -> RetrainingRun:
        """Replace a run by what follows from it.

        Raises:
            UnknownRun: There is none.
        """
        with transaction(self._file) as database:
            run = change(_run(database, name))
            database.execute("UPDATE runs SET document = ? WHERE name = ?", (run.model_dump_json(), name))
            return run


def _runs(database: sqlite3.Connection, endpoint: str) -> list[RetrainingRun]:
    rows = database.execute("SELECT document FROM runs WHERE endpoint = ? ORDER BY id", (endpoint,))
    return [RetrainingRun.model_validate_json(document) for (document,) in rows]


def _run(database: sqlite3.Connection, name: str) -> RetrainingRun:
    row = database.execute("SELECT document FROM runs WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise UnknownRun(name)
    return RetrainingRun.model_validate_json(row[0])
