"""What a gateway has not written yet: rows, by the segment that they will be in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from deployments.contracts.request_record import FeedbackRecord, RequestRecord
from deployments.prediction_log import feedback_rows, prediction_rows, segment
from deployments.prediction_log.layout import Partition, segment_name
from deployments.prediction_log.personal_data import PersonalDataKeys
from deployments.prediction_log.segment import SegmentNote

BATCH_ROWS = 512
"""Turned into columns at a time: a batch costs about a millisecond, and three microseconds a row."""
HOUR_SECONDS = 3600
DAY_SECONDS = 86_400

Entry = tuple[int, RequestRecord | FeedbackRecord]
"""Something to be written, with its sequence number."""


@dataclass(frozen=True, slots=True)
class SealedSegment:
    """A segment that is complete: bytes and the path that they go to, the same at every attempt.

    Attributes:
        path: Relative to the log's root.
        content: The parquet file.
        rows: How many it holds.
        opened: Monotonic time in seconds at which its first row came.
    """

    path: str
    content: pa.Buffer
    rows: int
    opened: float


@dataclass(slots=True)
class OpenSegment:
    """A segment that still grows.

    Attributes:
        opened: Monotonic time in seconds at which its first row came.
        rows: How many it holds.
        first: First record, with its sequence number.
        last_sequence: Of its last record.
        entries: Those that are not columns yet.
        entry_rows: Rows of these.
        batches: Columns.
    """

    opened: float
    first: Entry
    last_sequence: int = 0
    rows: int = 0
    entries: list[Entry] = field(default_factory=list)
    entry_rows: int = 0
    batches: list[pa.RecordBatch] = field(default_factory=list)


class OpenSegments:
    """Collects rows until a segment is large or old enough.

    Args:
        gateway: Identity of the gateway's incarnation.
        keys: For personal data; without them it is left out.

    Attributes:
        left_out: Whether personal data was left out for want of a key.
        malformed_rows: Rows that could not be turned into columns, and are lost: a fault of Raygate.
        fault: Kind of the latest such fault, or empty.
    """

    def __init__(self, gateway: str, keys: PersonalDataKeys | None) -> None:
        self.left_out, self.malformed_rows, self.fault = False, 0, ""
        self._gateway, self._keys = gateway, keys
        self._open: dict[tuple[str | int, ...], OpenSegment] = {}

    @property
    def opened(self) -> float | None:
        """When the oldest row came that is not sealed (monotonic seconds), or None."""
        return min((one.opened for one in list(self._open.values())), default=None)

    def add(self, entry: Entry, now: float) -> bool:
        """Take an entry.

        Args:
            entry: Its record is not looked into for as long as possible.
            now: Monotonic time in seconds.

        Returns:
            Whether a batch was turned into columns, which took a while.
        """
        rows = rows_of(entry)
        try:
            place = _place(entry[1])
        except Exception as error:  # a moment that is no number, or worse: the thread must go on
            self._give_up(rows, error)
            return False
        one = self._open.get(place)
        if one is None:
            one = self._open[place] = OpenSegment(now, entry)
            self.left_out |= self._keys is None and _is_personal(entry[1])
        one.entries.append(entry)
        one.last_sequence = entry[0]
        one.rows += rows
        one.entry_rows += rows
        if one.entry_rows < BATCH_ROWS:
            return False
        self._convert(one)
        return True

    def take_due(self, now: float, rows: int, seconds: float) -> list[OpenSegment]:
        """Take out what has at least ``rows`` rows or was opened at least ``seconds`` ago."""
        due = [place for place, one in self._open.items() if one.rows >= rows or now - one.opened >= seconds]
        return [self._open.pop(place) for place in due]

    def seal(self, one: OpenSegment) -> SealedSegment | None:
        """Encode a segment; None if every row of it was malformed."""
        self._convert(one)
        if not one.batches:
            return None
        try:
            return self._encoded(one)
        except Exception as error:
            self._give_up(one.rows, error)
            return None

    def _encoded(self, one: OpenSegment) -> SealedSegment:
        sequence, record = one.first
        note = SegmentNote(
            gateway=self._gateway,
            first_sequence=sequence,
            last_sequence=one.last_sequence,
            keys=(self._keys.identity,) if self._keys else (),
        )
        content = segment.encode(pa.Table.from_batches(one.batches), note)
        path = f"{_partition(record).path}/{segment_name(_moment(record), self._gateway, sequence)}"
        return SealedSegment(path, content, one.rows, one.opened)

    def _convert(self, one: OpenSegment) -> None:
        """Turn entries into columns; one that is malformed is lost alone."""
        entries, one.entries, one.entry_rows = one.entries, [], 0
        if not entries:
            return
        try:
            one.batches.append(self._batch(entries))
        except Exception:  # a record that no test thought of must not take its neighbours with it
            for entry in entries:
                try:
                    one.batches.append(self._batch([entry]))
                except Exception as error:
                    one.rows -= rows_of(entry)
                    self._give_up(rows_of(entry), error)

    def _batch(self, entries: Sequence[Entry]) -> pa.RecordBatch:
        requests = [(sequence, record) for sequence, record in entries if isinstance(record, RequestRecord)]
        if requests:
            return prediction_rows.batch(requests, self._gateway, self._keys)
        feedback = [(sequence, record) for sequence, record in entries if isinstance(record, FeedbackRecord)]
        return feedback_rows.batch(feedback, self._gateway)

    def _give_up(self, rows: int, error: Exception) -> None:
        self.malformed_rows += rows
        self.fault = type(error).__name__


def rows_of(entry: Entry) -> int:
    """How many rows an entry makes."""
    record = entry[1]
    return 1 if isinstance(record, FeedbackRecord) else len(record.prediction_ids)


def _place(record: RequestRecord | FeedbackRecord) -> tuple[str | int, ...]:
    """What rows of one segment have in common: the partition, and the feature schema, so the columns."""
    if isinstance(record, FeedbackRecord):
        return (int(record.received // DAY_SECONDS),)
    hour = int(record.began // HOUR_SECONDS)
    return record.model, prediction_rows.served_by(record), hour, record.schema.fingerprint


def _partition(record: RequestRecord | FeedbackRecord) -> Partition:
    if isinstance(record, FeedbackRecord):
        return Partition.of_feedback(int(record.received // DAY_SECONDS))
    hour = int(record.began // HOUR_SECONDS)
    return Partition.of_prediction(record.model, prediction_rows.served_by(record), hour)


def _moment(record: RequestRecord | FeedbackRecord) -> float:
    return record.received if isinstance(record, FeedbackRecord) else record.began


def _is_personal(record: RequestRecord | FeedbackRecord) -> bool:
    if isinstance(record, FeedbackRecord):
        return False
    return record.decision.unit is not None or any(feature.pii for feature in record.schema.features)
