"""What is wanted of every endpoint, and every decision that led to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deployments.contracts.endpoint import ModelEndpoint
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.rollout import control_database
from deployments.rollout.control_database import Decision, transaction


@dataclass(frozen=True, slots=True)
class WantedEndpoint:
    """An endpoint as it should be.

    Attributes:
        document: The endpoint file that was last applied.
        generation: Counts the different files that were applied.
        policy: The traffic policy in force: the file's split, a recorded override of it, or a rollout's weights.
    """

    document: ModelEndpoint
    generation: int
    policy: TrafficPolicy


class EndpointStore:
    """Wanted endpoints and the append-only history of decisions; every write is one transaction."""

    def __init__(self, file: Path) -> None:
        self._file = file
        control_database.create(file)

    def endpoints(self) -> dict[str, WantedEndpoint]:
        """Every endpoint by name."""
        with transaction(self._file) as database:
            return read_endpoints(database)

    def last_epoch(self) -> int:
        """The newest policy epoch that was ever decided; 0 before the first."""
        with transaction(self._file) as database:
            return control_database.last_epoch(database)

    def decide(self, wanted: WantedEndpoint, action: str, detail: dict[str, object], at: datetime) -> None:
        """Record a decision and what is wanted from now on, both or neither."""
        self.decide_together([(wanted, detail)], action, at)

    def decide_together(
        self, changed: Sequence[tuple[WantedEndpoint, dict[str, object]]], action: str, at: datetime
    ) -> None:
        """Record decisions on several endpoints, each with its detail: all of them or none."""
        with transaction(self._file) as database:
            for wanted, detail in changed:
                name, epoch = wanted.document.name, wanted.policy.policy_epoch
                write_endpoint(database, wanted)
                control_database.record(database, Decision(at, name, action, epoch, detail))

    def note(self, endpoint: str, action: str, epoch: int, detail: dict[str, object], at: datetime) -> None:
        """Record something that changes nothing of what is wanted."""
        with transaction(self._file) as database:
            control_database.record(database, Decision(at, endpoint, action, epoch, detail))

    def owners_file(self, endpoint: str) -> ModelEndpoint | None:
        """The document that an endpoint's owner applied last; None where nobody remembers it.

        The one in force may be another: a retraining adds its challenger.
        """
        with transaction(self._file) as database:
            found = database.execute(
                "SELECT document FROM owners_files WHERE endpoint = ?", (endpoint,)
            ).fetchone()
        return None if found is None else ModelEndpoint.model_validate_json(found[0])

    def keep_owners_file(self, document: ModelEndpoint) -> None:
        """Remember what an endpoint's owner applied."""
        with transaction(self._file) as database:
            values = (document.name, document.model_dump_json(by_alias=True))
            database.execute("INSERT OR REPLACE INTO owners_files VALUES (?, ?)", values)

    def forget(self, wanted: WantedEndpoint, at: datetime) -> None:
        """Record that an endpoint is to be served no more; its history stays."""
        name, epoch = wanted.document.name, wanted.policy.policy_epoch
        with transaction(self._file) as database:
            database.execute("DELETE FROM endpoints WHERE name = ?", (name,))
            database.execute("DELETE FROM owners_files WHERE endpoint = ?", (name,))
            control_database.record(database, Decision(at, name, "delete", epoch, {}))

    def last_decided(self) -> datetime | None:
        """When anything was decided last; None before the first decision."""
        with transaction(self._file) as database:
            (moment,) = database.execute("SELECT max(at) FROM decisions").fetchone()
        return None if moment is None else datetime.fromisoformat(moment)

    def history(self, endpoint: str) -> list[Decision]:
        """Decisions on an endpoint, the oldest first."""
        with transaction(self._file) as database:
            return control_database.history(database, endpoint)


def read_endpoints(database: sqlite3.Connection) -> dict[str, WantedEndpoint]:
    """Every endpoint by name, as a part of a transaction."""
    rows = database.execute("SELECT name, generation, document, policy FROM endpoints ORDER BY name")
    return {
        name: WantedEndpoint(
            ModelEndpoint.model_validate_json(document), generation, TrafficPolicy.model_validate_json(policy)
        )
        for name, generation, document, policy in rows
    }


def write_endpoint(database: sqlite3.Connection, wanted: WantedEndpoint) -> None:
    """Replace what is wanted of an endpoint, as a part of a transaction."""
    database.execute(
        "INSERT OR REPLACE INTO endpoints VALUES (?, ?, ?, ?)",
        (
            wanted.document.name,
            wanted.generation,
            wanted.document.model_dump_json(by_alias=True),
            wanted.policy.model_dump_json(by_alias=True),
        ),
    )
