"""The control plane's SQLite file: what is wanted, what rollouts are at, and every decision, written once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS endpoints (
    name TEXT PRIMARY KEY, generation INTEGER NOT NULL, document TEXT NOT NULL, policy TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS owners_files (endpoint TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rollouts (
    endpoint TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS experiments (endpoint TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS followers (name TEXT PRIMARY KEY, decision INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS challengers (endpoint TEXT PRIMARY KEY, version TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS reloads (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lease (
    id INTEGER PRIMARY KEY CHECK (id = 1), holder TEXT NOT NULL, until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, endpoint TEXT NOT NULL, action TEXT NOT NULL,
    policy_epoch INTEGER NOT NULL, detail TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS identity (id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL);
INSERT OR IGNORE INTO identity VALUES (1, lower(hex(randomblob(16))));
CREATE TRIGGER IF NOT EXISTS decisions_are_not_rewritten BEFORE UPDATE ON decisions
    BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER IF NOT EXISTS decisions_are_not_removed BEFORE DELETE ON decisions
    BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
"""


@dataclass(frozen=True, slots=True)
class Decision:
    """One entry of the history."""

    at: datetime
    endpoint: str
    action: str
    policy_epoch: int
    detail: dict[str, object]


def create(file: Path) -> None:
    """Make the tables where they are missing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with transaction(file) as database:
        database.executescript(_TABLES)


def identity(file: Path) -> str:
    """What tells this file's decisions from those of any other that was ever made."""
    with transaction(file) as database:
        (name,) = database.execute("SELECT name FROM identity").fetchone()
    return str(name)


@contextmanager
def transaction(file: Path) -> Iterator[sqlite3.Connection]:
    """All of the block or nothing of it; from the first statement on, those of all processes wait for each other.

    Python by itself begins none before the first statement that writes: what was compared before that could be
    replaced by somebody else in between.
    """
    database = sqlite3.connect(file, timeout=10)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        with database:
            database.execute("BEGIN IMMEDIATE")
            yield database
    finally:
        database.close()


def record(database: sqlite3.Connection, decision: Decision) -> None:
    """Append to the history, as a part of a transaction."""
    database.execute(
        "INSERT INTO decisions (at, endpoint, action, policy_epoch, detail) VALUES (?, ?, ?, ?, ?)",
        (
            decision.at.isoformat(),
            decision.endpoint,
            decision.action,
            decision.policy_epoch,
            json.dumps(decision.detail),
        ),
    )


def history(database: sqlite3.Connection, endpoint: str) -> list[Decision]:
    """Decisions on an endpoint, the oldest first."""
    rows = database.execute(
        "SELECT at, endpoint, action, policy_epoch, detail FROM decisions WHERE endpoint = ? ORDER BY id",
        (endpoint,),
    )
    return [
        Decision(datetime.fromisoformat(at), name, action, epoch, json.loads(detail))
        for at, name, action, epoch, detail in rows
    ]


def decisions_after(database: sqlite3.Connection, number: int) -> list[tuple[int, Decision]]:
    """Decisions on all endpoints that came after one, with their numbers, the oldest first."""
    rows = database.execute(
        "SELECT id, at, endpoint, action, policy_epoch, detail FROM decisions WHERE id > ? ORDER BY id", (number,)
    )
    return [
        (found, Decision(datetime.fromisoformat(at), name, action, epoch, json.loads(detail)))
        for found, at, name, action, epoch, detail in rows
    ]


def last_epoch(database: sqlite3.Connection) -> int:
    """The newest policy epoch that was ever decided; 0 before the first."""
    (epoch,) = database.execute("SELECT coalesce(max(policy_epoch), 0) FROM decisions").fetchone()
    return int(epoch)
