"""Reloads that were asked for: done one after the other, remembered, and gone on with after a crash."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotDone
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel

from deployments.contracts.errors import RaygateError, TrafficNotApplied
from deployments.rollout import control_database
from deployments.rollout.control_database import transaction
from deployments.rollout.errors import RegistryUnavailable, UnknownReload

MAY_PASS = (RegistryUnavailable, TrafficNotApplied)
"""What the same reload, asked for again, may get over: the models themselves can be served."""
_IDS = uuid.UUID("5f7c3f4e-6f0a-4b7e-9d55-0d1c6a1b8f2e")
_log = logging.getLogger("raygate.controller")


class ReloadState(StrEnum):
    """How far a reload is."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"


class ReloadRecord(BaseModel, frozen=True):
    """A reload as it is remembered.

    Attributes:
        id: Names it.
        actor: Who asked for it.
        asked: When.
        status: How far it is.
        versions: Stable versions that are served, once it succeeded.
        reason: Why it failed, else empty.
        may_pass: Whether it did not end but came no further: asked for again it goes on.
        credential: Which credential asked, for the audit.
    """

    id: str
    actor: str
    asked: datetime
    status: ReloadState = ReloadState.RUNNING
    versions: dict[str, str] = {}
    reason: str = ""
    may_pass: bool = False
    credential: str = ""


class Reloads:
    """The reloads of one control database.

    Args:
        file: The control database.
        run: Does a reload for an actor and returns the versions; doing it again is safe.
        clock: Time in UTC.

    Attributes:
        told: Told every reload that ends, also one that a controller before had begun.
    """

    def __init__(self, file: Path, run: Callable[[str], dict[str, str]], clock: Callable[[], datetime]) -> None:
        self._file, self._run, self._clock = file, run, clock
        self.told: Callable[[ReloadRecord], None] = lambda record: None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reload")
        self._under_way: dict[str, Future[None]] = {}
        control_database.create(file)

    def go_on(self) -> None:
        """Do what a controller that is gone had begun."""
        for record in self._unfinished():
            self._begin(record)

    def ask(self, actor: str, key: str | None = None, credential: str = "") -> ReloadRecord:
        """Ask for a reload; with the key of an earlier one it is that one, which goes on if it came no further.

        Args:
            actor: Who asks.
            key: Idempotency key, or None.
            credential: Which one the actor has, for the audit; never the secret.
        """
        reload_id = str(uuid.uuid5(_IDS, f"{actor}\n{key}")) if key else str(uuid.uuid4())
        record = ReloadRecord(id=reload_id, actor=actor, asked=self._clock(), credential=credential)
        if self._insert(record) or self._reopened(record):
            self._begin(record)
        return self.get(reload_id)

    def get(self, reload_id: str) -> ReloadRecord:
        """A reload by its id.

        Raises:
            UnknownReload: There was none.
        """
        with transaction(self._file) as database:
            row = database.execute("SELECT document FROM reloads WHERE id = ?", (reload_id,)).fetchone()
        if row is None:
            raise UnknownReload(reload_id)
        return ReloadRecord.model_validate_json(row[0])

    def wait(self, reload_id: str, seconds: float) -> ReloadRecord:
        """A reload at its end, or as far as it is after some seconds."""
        running = self._under_way.get(reload_id)
        if running is not None:
            try:
                running.result(seconds)
            except NotDone:
                _log.debug("the reload %s is still running", reload_id)
        return self.get(reload_id)

    def close(self) -> None:
        """Begin no other reload; the one that runs is gone on with by the next controller."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _begin(self, record: ReloadRecord) -> None:
        future = self._under_way[record.id] = self._thread.submit(self._do, record)
        future.add_done_callback(lambda done: self._under_way.pop(record.id, None))

    def _do(self, record: ReloadRecord) -> None:
        end: dict[str, object]
        try:
            end = {"status": ReloadState.SUCCESS, "versions": self._run(record.actor)}
        except RaygateError as error:
            _log.warning("the reload %s failed: %s", record.id, error)
            end = {"status": ReloadState.FAILED, "reason": str(error), "may_pass": isinstance(error, MAY_PASS)}
        except Exception as error:  # nobody knows how far it came: it must not be told as final
            _log.exception("the reload %s failed unexpectedly", record.id)
            reason = f"an unexpected {type(error).__name__}"
            end = {"status": ReloadState.FAILED, "reason": reason, "may_pass": True}
        ended = record.model_copy(update=end)
        self._update(ended)
        self.told(ended)

    def _insert(self, record: ReloadRecord) -> bool:
        """Whether it was not there yet."""
        with transaction(self._file) as database:
            values = (record.id, record.model_dump_json())
            inserted = database.execute("INSERT OR IGNORE INTO reloads (id, document) VALUES (?, ?)", values)
            return inserted.rowcount == 1

    def _reopened(self, record: ReloadRecord) -> bool:
        """Whether it came no further the last time, and now runs again."""
        with transaction(self._file) as database:
            values = (record.model_dump_json(), record.id)
            asked = "UPDATE reloads SET document = ? WHERE id = ? AND json_extract(document, '$.may_pass')"
            return database.execute(asked, values).rowcount == 1

    def _update(self, record: ReloadRecord) -> None:
        with transaction(self._file) as database:
            values = (record.model_dump_json(), record.id)
            database.execute("UPDATE reloads SET document = ? WHERE id = ?", values)

    def _unfinished(self) -> list[ReloadRecord]:
        with transaction(self._file) as database:
            rows = database.execute("SELECT document FROM reloads ORDER BY number").fetchall()
        records = [ReloadRecord.model_validate_json(document) for (document,) in rows]
        return [record for record in records if record.status is ReloadState.RUNNING]
