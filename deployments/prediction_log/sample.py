"""A uniform sample of logged predictions, in memory that does not grow with the log."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from deployments.prediction_log import catalogue, schema_union, segment
from deployments.prediction_log.columns import PREDICTION_COLUMNS
from deployments.prediction_log.reader import BATCH_ROWS, READERS, Where, between, consistently
from deployments.storage.location import Location

ROWS = 50_000
"""Enough to judge a distribution by; some tens of megabytes, and a second or two of a CPU to count."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Some of the rows.

    Attributes:
        rows: As ``reader.read`` gives them, in the order of their requests.
        of: How many they were drawn from; as many as ``rows`` has where that is all.
    """

    rows: pa.Table
    of: int


def draw(
    uri: str,
    *,
    model: str,
    version: str,
    columns: Sequence[str],
    since: datetime | None = None,
    until: datetime | None = None,
    where: Where | None = None,
    rows: int = ROWS,
    seed: int = 0,
) -> Sample:
    """Draw at most so many rows, each as likely as any other, wherever in the log it lies.

    Every row gets a random number, and those with the smallest ones stay. The same log gives the same sample.

    Args:
        uri: Root of the log.
        model: Of this registered model.
        version: What this version answered.
        columns: Only these, ``timestamp`` among them; one that no segment has is left out.
        since: Only requests that arrived then or later.
        until: Only requests that arrived earlier.
        where: Gives, of a table with these columns, the rows that are drawn from.
        rows: How many.
        seed: Of the random numbers.

    Raises:
        StorageUnreachable: The place cannot be read.
        SegmentUnreadable: A segment is damaged or of a later release.
    """
    location = Location.of(uri)
    fixed = pa.schema([field for field in PREDICTION_COLUMNS if field.name in columns])

    def one(path: str) -> _Lots:
        lots = _Lots(rows, fixed)
        random = np.random.default_rng([seed, zlib.crc32(path.encode())])
        with segment.opened(location, path) as file:
            names = [name for name in columns if name in file.schema_arrow.names]
            for batch in file.iter_batches(BATCH_ROWS, columns=names):
                table = pa.Table.from_batches([batch]).replace_schema_metadata(None)
                table = between(table, "timestamp", since, until)
                table = table if where is None else where(table)
                lots.add(table, random.random(table.num_rows))
                lots.of += table.num_rows
        return lots

    def attempt() -> Sample:
        paths = catalogue.predictions(location, model, version, since, until)
        drawn = _Lots(rows, fixed)
        with ThreadPoolExecutor(READERS) as readers:
            for begin in range(0, len(paths), READERS):  # not all at once: what is read waits in memory
                for lots in readers.map(one, paths[begin : begin + READERS]):
                    drawn.add(lots.table, lots.numbers)
                    drawn.of += lots.of
        return Sample(drawn.smallest().sort_by("timestamp"), drawn.of)

    return consistently(location, attempt)


class _Lots:
    """Rows with their random numbers, of which the smallest stay."""

    def __init__(self, rows: int, columns: pa.Schema) -> None:
        self.of, self._rows, self._columns = 0, rows, columns
        self.table: pa.Table = columns.empty_table()
        self.numbers: NDArray[np.float64] = np.empty(0)

    def add(self, table: pa.Table, numbers: NDArray[np.float64]) -> None:
        self.table = schema_union.joined([self.table, table], self._columns)
        self.numbers = np.concatenate([self.numbers, numbers])
        if len(self.numbers) > 2 * self._rows:
            self.smallest()

    def smallest(self) -> pa.Table:
        """Let go of all others."""
        if len(self.numbers) > self._rows:
            kept = np.sort(np.argpartition(self.numbers, self._rows)[: self._rows])
            self.table, self.numbers = self.table.take(kept).combine_chunks(), self.numbers[kept]
        return self.table
