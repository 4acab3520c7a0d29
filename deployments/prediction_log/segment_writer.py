"""From records to files: what the log's thread does in its turns. No thread, no waiting in here."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from deployments.prediction_log.open_segments import Entry, OpenSegments, SealedSegment
from deployments.storage.location import Location

FIRST_RETRY_SECONDS = 0.5
LAST_RETRY_SECONDS = 30.0

_log = logging.getLogger("raygate.prediction_log")


@dataclass(frozen=True, slots=True)
class LogLimits:
    """Bounds of a gateway's part of the log.

    Attributes:
        segment_rows: A segment is written when it has this many rows.
        segment_seconds: Or when its first row is this old: what a crash may lose.
        waiting_rows: Rows that may wait to be written; beyond it they are dropped and counted.
    """

    segment_rows: int = 20_000
    segment_seconds: float = 30.0
    waiting_rows: int = 100_000


DEFAULT_LIMITS = LogLimits()


class SegmentWriter:
    """Owns rows from the moment they leave the queue until they are written, or counted as lost.

    Attributes:
        settled_rows: Rows that no longer wait: written or lost.
        written_rows: Rows of segments that are there for good.
        malformed_rows: Rows that could not be turned into columns.
        lost_rows: Rows that could not be written before the log was closed.
        segments: Segments written.
        failed_writes: Attempts that failed.
        last_error: Kind of the latest failure, or empty.
    """

    def __init__(
        self, location: Location, segments: OpenSegments, limits: LogLimits, clock: Callable[[], float]
    ) -> None:
        self.settled_rows = self.written_rows = self.malformed_rows = self.lost_rows = 0
        self.segments = self.failed_writes = 0
        self.last_error = ""
        self._location, self._open, self._limits, self._clock = location, segments, limits, clock
        self._sealed: deque[SealedSegment] = deque()
        self._retry_at, self._retry_seconds = 0.0, FIRST_RETRY_SECONDS
        self._said_left_out = False

    @property
    def oldest(self) -> float | None:
        """When the oldest row came that is neither written nor lost (monotonic seconds), or None."""
        opened = [one.opened for one in tuple(self._sealed)]
        still_open = self._open.opened
        return min(opened if still_open is None else [*opened, still_open], default=None)

    def take(self, entry: Entry) -> bool:
        """Take over an entry.

        Returns:
            Whether rows were turned into columns, which took a while.
        """
        took_a_while = self._open.add(entry, self._clock())
        self._settle_malformed()
        if self._open.left_out and not self._said_left_out:
            self._said_left_out = True
            _log.warning("no key for personal data: it is left out of the prediction log %s", self._location.shown)
        return took_a_while

    def seal(self, everything: bool = False) -> None:
        """Encode the segments that are large or old enough."""
        seconds = 0.0 if everything else self._limits.segment_seconds
        for one in self._open.take_due(self._clock(), self._limits.segment_rows, seconds):
            sealed = self._open.seal(one)
            self._settle_malformed()
            if sealed is not None:
                self._sealed.append(sealed)

    def write(self) -> None:
        """Write what is sealed, oldest first; after a failure wait longer and longer before the next attempt."""
        while self._sealed and self._clock() >= self._retry_at:
            one = self._sealed[0]
            try:
                self._location.put(one.path, one.content)
            except Exception as error:  # of whatever kind a file system raises
                self._hold_back(error)
                return
            self._sealed.popleft()
            self._recovered()
            self.segments += 1
            self.written_rows += one.rows
            self.settled_rows += one.rows

    def finish(self) -> None:
        """Write everything now; what cannot be written is lost."""
        self.seal(everything=True)
        self._retry_at = 0.0
        self.write()
        lost = sum(one.rows for one in self._sealed)
        self._sealed.clear()
        self.lost_rows += lost
        self.settled_rows += lost
        if lost:
            _log.error("the prediction log was closed while it could not be written: %d rows are lost", lost)

    def _hold_back(self, error: Exception) -> None:
        self.failed_writes += 1
        if self._retry_seconds == FIRST_RETRY_SECONDS:  # said when it begins, not at every attempt
            _log.warning(
                "prediction log %s cannot be written (%s); up to %d rows are kept",
                self._location.shown, error, self._limits.waiting_rows,
            )  # fmt: skip
        self.last_error = type(error).__name__
        self._retry_at = self._clock() + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, LAST_RETRY_SECONDS)

    def _recovered(self) -> None:
        if self._retry_seconds > FIRST_RETRY_SECONDS:
            _log.warning("prediction log %s can be written again", self._location.shown)
        self._retry_seconds = FIRST_RETRY_SECONDS

    def _settle_malformed(self) -> None:
        new = self._open.malformed_rows - self.malformed_rows
        if not new:
            return
        if not self.malformed_rows:  # the first time only: more of it would say no more
            _log.error("records cannot be written to the prediction log (%s)", self._open.fault)
        self.last_error = self._open.fault
        self.malformed_rows += new
        self.settled_rows += new
