"""The gateway's side of the prediction log: hand over a record and go on; a thread does the rest."""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from deployments.contracts.request_record import FeedbackRecord, RequestRecord
from deployments.prediction_log.open_segments import Entry, OpenSegments
from deployments.prediction_log.personal_data import PersonalDataKeys
from deployments.prediction_log.segment_writer import DEFAULT_LIMITS, LogLimits, SegmentWriter
from deployments.storage.location import Location

TURN_SECONDS = 0.2
YIELD_SECONDS = 0.001
"""Pause after a batch: sleeping hands the interpreter over, which merely releasing it does not."""

_log = logging.getLogger("raygate.prediction_log")


@dataclass(frozen=True, slots=True)
class LogFigures:
    """What a gateway's part of the log did since it was opened; cumulative unless it says otherwise.

    Attributes:
        written_rows: Rows of segments that are there for good, feedback included.
        dropped_rows: Rows lost because too many waited, or because the log was closed while it could not be
            written.
        malformed_rows: Rows lost because they could not be turned into columns: a fault of Raygate.
        segments: Segments written.
        failed_writes: Attempts that failed.
        last_error: Kind of the latest failure, or empty.
        waiting_rows: Rows that wait now.
        oldest_seconds: Age of the oldest of them now; 0 if none waits.
    """

    written_rows: int
    dropped_rows: int
    malformed_rows: int
    segments: int
    failed_writes: int
    last_error: str
    waiting_rows: int
    oldest_seconds: float


class PredictionLog:
    """Writes what one gateway answered, in parquet segments, from a thread of its own.

    Nothing here raises into the gateway or waits for the place where the log is: while it cannot be written,
    records are kept up to a bound, then dropped and counted. One thread may record, the event loop's.

    Args:
        uri: Root of the log (see ``Location.of``).
        gateway: Identity of the gateway's incarnation; a restarted one has another.
        keys: For personal data; without them it is left out of the log, which is said once.
        limits: Bounds.
        clock: Monotonic time in seconds.

    Raises:
        InvalidLocation: The URI does not say where a log may be.
    """

    def __init__(
        self,
        uri: str,
        gateway: str,
        keys: PersonalDataKeys | None = None,
        limits: LogLimits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits, self._clock = limits, clock
        self._writer = SegmentWriter(Location.of(uri), OpenSegments(gateway, keys), limits, clock)
        self._queue: deque[Entry] = deque()
        # Raised by the recording thread alone, as `settled_rows` is by the writing one: no lock on the hot path.
        self._accepted_rows = self._dropped_rows = 0
        self._next_request = self._next_feedback = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def record(self, record: RequestRecord) -> None:
        """Remember a request, in a microsecond or two; if too many rows wait it is dropped and counted."""
        # One that is dropped has a number too: that is how a reader sees the gap.
        sequence = self._next_request
        self._next_request = sequence + 1
        self._enqueue((sequence, record), len(record.prediction_ids))

    def feedback(self, record: FeedbackRecord) -> bool:
        """Remember feedback, in a microsecond or two.

        Returns:
            Whether it was taken; not if too many rows wait, which is counted. The caller may come again.
        """
        sequence = self._next_feedback
        self._next_feedback = sequence + 1
        return self._enqueue((sequence, record), 1)

    def figures(self) -> LogFigures:
        """What the log did until now."""
        writer = self._writer
        oldest = writer.oldest
        return LogFigures(
            written_rows=writer.written_rows,
            dropped_rows=self._dropped_rows + writer.lost_rows,
            malformed_rows=writer.malformed_rows,
            segments=writer.segments,
            failed_writes=writer.failed_writes,
            last_error=writer.last_error,
            waiting_rows=self._accepted_rows - writer.settled_rows,
            oldest_seconds=0.0 if oldest is None else max(0.0, self._clock() - oldest),
        )

    def close(self, timeout_seconds: float = 10.0) -> None:
        """Write what waits, in one attempt; later records are dropped. Blocks: not for an event loop.

        Args:
            timeout_seconds: How long to wait for it; what is not written by then may be lost.
        """
        self._closing.set()
        self._thread.join(timeout_seconds)

    def _enqueue(self, entry: Entry, rows: int) -> bool:
        waiting = self._accepted_rows - self._writer.settled_rows
        if waiting + rows > self._limits.waiting_rows or self._closing.is_set():
            self._dropped_rows += rows
            return False
        self._accepted_rows += rows
        self._queue.append(entry)
        return True

    def _run(self) -> None:
        loss = LossNotice(self._limits.waiting_rows)
        while not self._closing.wait(TURN_SECONDS):
            self._drain(YIELD_SECONDS)
            self._writer.seal()
            self._writer.write()
            if loss.due(self._dropped_rows, self._accepted_rows - self._writer.settled_rows):
                _log.warning("too many rows wait for the prediction log: records are being dropped")
        self._drain(0.0)
        self._writer.finish()

    def _drain(self, pause: float) -> None:
        """Hand over what is queued now, with pauses in which the event loop runs."""
        for _ in range(len(self._queue)):
            if self._writer.take(self._queue.popleft()):
                time.sleep(pause)


class LossNotice:
    """Decides when to say that records are dropped: when it begins, not at every record or turn.

    Args:
        bound: Rows that may wait; it counts as over when less than half of them do.
    """

    def __init__(self, bound: int) -> None:
        self._bound, self._dropped_rows, self._losing = bound, 0, False

    def due(self, dropped_rows: int, waiting_rows: int) -> bool:
        """Whether dropping has begun since it was asked last.

        Args:
            dropped_rows: All that were ever dropped.
            waiting_rows: Those that wait now.
        """
        new = dropped_rows > self._dropped_rows
        begins = new and not self._losing
        self._losing = new or (self._losing and waiting_rows >= self._bound / 2)
        self._dropped_rows = dropped_rows
        return begins


def is_sampled(prediction_id: str, share: float) -> bool:
    """Whether a request is among the share that is remembered: the same answer everywhere, at any time.

    Args:
        prediction_id: Of its first row.
        share: 0 to 1.
    """
    return zlib.crc32(prediction_id.encode()) < share * 2**32
