"""Reading the prediction log: one call for tables, one for file names, one for a single prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from deployments.contracts import prediction_id as prediction_ids
from deployments.contracts.request_record import Stage
from deployments.prediction_log import catalogue, schema_union, segment
from deployments.prediction_log.columns import PREDICTION_COLUMNS, decrypted
from deployments.prediction_log.errors import InvalidLogQuery
from deployments.prediction_log.personal_data import PersonalDataKeys
from deployments.storage.errors import StorageUnreachable
from deployments.storage.location import Location

READERS = 8
"""Segments read at a time: on S3 most of a read is waiting."""
BATCH_ROWS = 65_536
"""Of a segment at a time, where not all of it is wanted: a compacted one may hold an hour of a busy version."""
ATTEMPTS = 3
SEARCHED = (timedelta(hours=1), timedelta(days=1))
"""How far from its id's time a prediction is looked for: ids go on in their order when a clock is set back."""

Result = TypeVar("Result")
Where = Callable[[pa.Table], pa.Table]


def read(
    uri: str,
    *,
    model: str | None = None,
    version: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    columns: Sequence[str] | None = None,
    keys: PersonalDataKeys | None = None,
    ids: pa.Array | None = None,
    where: Where | None = None,
) -> pa.Table:
    """Predictions, one row each, all in memory; for more than that see ``files``.

    Args:
        uri: Root of the log.
        model: Only this registered model.
        version: Only what this version answered; ``none`` for requests that nothing answered.
        since: Only requests that arrived then or later.
        until: Only requests that arrived earlier.
        columns: Only these, such as ``["timestamp", "feature.Income"]``; one that no segment has is left out.
        keys: Decrypt personal data; without them its columns hold tokens.
        ids: Only these predictions; memory holds no other rows but those of the segments that are being read.
        where: Gives, of a segment's table with the columns that were asked for, the rows that are wanted; memory
            holds no others, as with ``ids``.

    Returns:
        The columns of ``columns.PREDICTION_COLUMNS``, then ``feature.<name>`` of every schema that occurs.

    Raises:
        InvalidLocation: The URI does not say where a log may be.
        InvalidLogQuery: A moment has no time zone.
        StorageUnreachable: The place cannot be read.
        SegmentUnreadable: A segment is damaged or of a later release.
        InvalidPersonalDataKey: A value was encrypted with a key that is not among them.
    """
    location = Location.of(uri)
    read_columns = None if columns is None else [*columns, *({"timestamp"} - set(columns))]

    def attempt() -> pa.Table:
        paths = catalogue.predictions(location, model, version, since, until)
        tables = tables_of(location, paths, read_columns, keys, ids, where)
        fixed = [field for field in PREDICTION_COLUMNS if read_columns is None or field.name in read_columns]
        return schema_union.joined(tables, pa.schema(fixed))

    table = between(consistently(location, attempt), "timestamp", since, until)
    return table if columns is None else table.select([name for name in columns if name in table.schema.names])


def files(
    uri: str,
    *,
    model: str | None = None,
    version: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[str]:
    """Segments for an engine that reads parquet itself: DuckDB, Ray Data, pandas.

    A segment that is being replaced by a compaction does not appear beside its successor, as it would for an
    engine that lists the directory. The arguments choose whole hours.

    Returns:
        Absolute paths, or ``s3://`` URIs.
    """
    location = Location.of(uri)
    paths = consistently(location, lambda: catalogue.predictions(location, model, version, since, until))
    prefix = "" if location.directory else "s3://"
    return [prefix + location.full(path) for path in paths]


def find(
    uri: str, prediction_id: str, *, stage: Stage = Stage.LIVE, keys: PersonalDataKeys | None = None
) -> dict[str, Any] | None:
    """One prediction by its id.

    The time in a UUIDv7 says where to look: first its own hour, then those around it, up to a day away.

    Args:
        uri: Root of the log.
        prediction_id: As the gateway gave it to the caller.
        stage: What the caller saw, or what a shadow answered to the same row.
        keys: Decrypt personal data.

    Returns:
        Its columns, or None: never remembered, not written yet, expired or erased.

    Raises:
        InvalidLogQuery: It is not a UUIDv7.
        StorageUnreachable: The place cannot be read.
    """
    try:
        known = prediction_ids.read(prediction_id)
    except ValueError as error:
        raise InvalidLogQuery("prediction_id", prediction_id, "a UUIDv7") from error
    location = Location.of(uri)

    def attempt() -> dict[str, Any] | None:
        for distance in SEARCHED:
            for path in catalogue.predictions(location, since=known.at - distance, until=known.at + distance):
                with segment.opened(location, path) as file:
                    found = _row(file, known.text, stage, keys)
                if found is not None:
                    return found
        return None

    return consistently(location, attempt)


def tables_of(
    location: Location,
    paths: Sequence[str],
    columns: Sequence[str] | None,
    keys: PersonalDataKeys | None,
    ids: pa.Array | None = None,
    where: Where | None = None,
) -> list[pa.Table]:
    """The tables of segments, in their order, with those of the columns that each has.

    With ``ids`` a segment without any of these predictions is read no further than its ids.
    """

    def one(path: str) -> pa.Table:
        with segment.opened(location, path) as file:
            names = [name for name in file.schema_arrow.names if columns is None or name in columns]
            wanted = None if ids is None else pc.is_in(file.read(["prediction_id"])[0], value_set=ids)
            if wanted is None:
                table = file.read(names)
            elif pc.any(wanted).as_py():
                table = _filtered(file, names, wanted)
            else:
                table = file.schema_arrow.empty_table().select(names)
        table = table.replace_schema_metadata(None)
        table = table if keys is None else decrypted(table, keys)
        return table if where is None else where(table)

    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(one, paths))


def between(table: pa.Table, column: str, since: datetime | None, until: datetime | None) -> pa.Table:
    """Rows of a half-open span of time."""
    if since is not None:
        table = table.filter(pc.greater_equal(table[column], pa.scalar(since, pa.timestamp("us", "UTC"))))
    if until is not None:
        table = table.filter(pc.less(table[column], pa.scalar(until, pa.timestamp("us", "UTC"))))
    return table


def consistently(location: Location, attempt: Callable[[], Result]) -> Result:
    """Run an attempt to read again if a segment disappears under it: a compaction put another in its place.

    Raises:
        StorageUnreachable: Segments disappear again and again.
    """
    for _ in range(ATTEMPTS):
        try:
            return attempt()
        except FileNotFoundError as error:
            gone = error
    raise StorageUnreachable(location.shown, f"segments disappear while they are read: {gone}")


def _filtered(file: Any, names: Sequence[str], wanted: pa.ChunkedArray) -> pa.Table:
    """Read in parts: of a large segment the rows that nobody wants are never in memory together."""
    parts, begin = [], 0
    for batch in file.iter_batches(BATCH_ROWS, columns=names):
        part = pa.Table.from_batches([batch])
        parts.append(part.filter(wanted.slice(begin, part.num_rows)))
        begin += part.num_rows
    return pa.concat_tables(parts)


def _row(file: Any, prediction_id: str, stage: Stage, keys: PersonalDataKeys | None) -> dict[str, Any] | None:
    for group in range(file.num_row_groups):
        range_of_ids = file.metadata.row_group(group).column(0).statistics
        if range_of_ids is None or not range_of_ids.min <= prediction_id <= range_of_ids.max:
            continue  # ids begin with their time, so nearly every group is passed over
        ids = file.read_row_group(group, ["prediction_id", "stage"])
        hit = pc.and_(pc.equal(ids["prediction_id"], prediction_id), pc.equal(ids["stage"], stage.value))
        position = pc.index(hit, True).as_py()
        if position >= 0:
            table = file.read_row_group(group).slice(position, 1)
            return dict((table if keys is None else decrypted(table, keys)).to_pylist()[0])
    return None
