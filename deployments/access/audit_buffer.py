"""Audit events on their way to the log: an administrative call never waits for a database."""

from __future__ import annotations

import logging
from collections import deque

from deployments.access.audit import AuditEvent, AuditLog
from deployments.access.background import Repeating

FLUSH_SECONDS = 1.0
_BATCH = 500
_log = logging.getLogger("raygate.audit")


class AuditBuffer:
    """Holds events until the log has taken them, in order.

    When the log is down for so long that the bound is reached, the oldest are written to the process's own log
    instead of being lost, and so is what is left at the end.

    Args:
        log: Written by a thread of the buffer's own.
        bound: Events that are held at the most.
    """

    def __init__(self, log: AuditLog, bound: int = 10_000) -> None:
        self._audit_log, self._bound = log, bound
        self._waiting: deque[AuditEvent] = deque()
        self._flushing = Repeating("the audit", self.flush, FLUSH_SECONDS)

    @property
    def waiting(self) -> int:
        """Events that the log has not taken yet."""
        return len(self._waiting)

    def start(self) -> None:
        """Begin to write."""
        self._flushing.start()

    def record(self, event: AuditEvent) -> None:
        """Keep an event; returns at once."""
        if len(self._waiting) >= self._bound:
            _spill(self._waiting.popleft())
        self._waiting.append(event)

    def flush(self) -> None:
        """Write what waits.

        Raises:
            StoreUnavailable: The log does not answer; what it has not taken is kept.
        """
        while batch := list(self._waiting)[:_BATCH]:
            self._audit_log.append(batch)
            for event in batch:
                # By identity: the bound may have pushed out the oldest meanwhile.
                if self._waiting and self._waiting[0] is event:
                    self._waiting.popleft()

    def close(self) -> None:
        """Write what waits; what the log does not take goes to the process's own log."""
        self._flushing.close()
        if not self._flushing.attempt():
            while self._waiting:
                _spill(self._waiting.popleft())


def _spill(event: AuditEvent) -> None:
    _log.error("not written to the audit: %s", event)
