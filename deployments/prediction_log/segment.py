"""A segment: one parquet file, and what it says of itself in its footer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from deployments.prediction_log.columns import FEATURE_PREFIX
from deployments.prediction_log.errors import SegmentUnreadable
from deployments.storage.errors import StorageUnreachable
from deployments.storage.location import Location

SCHEMA_VERSION = 1
"""Rises when an older reader would misread a segment; columns may be added without."""

_KEY = b"raygate.segment"
_DISTINCT = ("prediction_id", "feedback_id", "sequence", "timestamp", "received", "latency_ms")
"""Nearly every value differs: a dictionary of them would only be built in vain."""


@dataclass(frozen=True, slots=True)
class SegmentNote:
    """What a segment says of itself.

    Attributes:
        gateway: Who wrote it; empty if it joins segments of several gateways.
        first_sequence: Smallest sequence number.
        last_sequence: Largest one. Those between may lie in segments of other partitions.
        keys: Identities of the keys that its tokens may need.
        replaces: Names of the segments in the same directory whose rows it holds: readers ignore them.
        erased: Sequence numbers, by gateway, of requests that somebody's erasure took out: not lost.
        schema_version: Of the release that wrote it.
    """

    gateway: str = ""
    first_sequence: int = 0
    last_sequence: int = 0
    keys: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    erased: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def within(self, schema: pa.Schema) -> pa.Schema:
        """The schema that carries this note into a file."""
        return schema.with_metadata({_KEY: json.dumps(asdict(self), sort_keys=True).encode()})

    @classmethod
    def of(cls, schema: pa.Schema, path: str) -> SegmentNote:
        """Read the note of a file's schema.

        Raises:
            SegmentUnreadable: There is none, or a later release wrote it.
        """
        text = (schema.metadata or {}).get(_KEY)
        if text is None:
            raise SegmentUnreadable(path, "it has no note of a gateway; is it somebody else's file?")
        plain: dict[str, Any] = json.loads(text)
        if plain["schema_version"] > SCHEMA_VERSION:
            written = plain["schema_version"]
            raise SegmentUnreadable(path, f"schema version {written}; this release reads up to {SCHEMA_VERSION}")
        return cls(
            gateway=plain["gateway"],
            first_sequence=plain["first_sequence"],
            last_sequence=plain["last_sequence"],
            keys=tuple(plain["keys"]),
            replaces=tuple(plain["replaces"]),
            erased={gateway: tuple(numbers) for gateway, numbers in plain["erased"].items()},
            schema_version=plain["schema_version"],
        )


def encode(table: pa.Table, note: SegmentNote) -> pa.Buffer:
    """A segment's bytes."""
    sink = pa.BufferOutputStream()
    with writer(sink, table.schema, note) as file:
        file.write_table(table)
    return sink.getvalue()


def writer(sink: Any, schema: pa.Schema, note: SegmentNote) -> pq.ParquetWriter:
    """A parquet writer with the log's settings."""
    listed = [field.name for field in schema if _repeats(field)]
    return pq.ParquetWriter(sink, note.within(schema), compression="zstd", use_dictionary=listed)


def footer(location: Location, path: str) -> tuple[pa.Schema, SegmentNote]:
    """Columns and note of a segment.

    Raises:
        FileNotFoundError: It is gone: another one took its place, or its time was over.
        SegmentUnreadable: It is no segment, or is damaged.
        StorageUnreachable: The place cannot be read.
    """
    with opened(location, path) as file:
        schema = file.schema_arrow
        return schema.remove_metadata(), SegmentNote.of(schema, location.full(path))


def opened(location: Location, path: str) -> pq.ParquetFile:
    """The parquet file of a segment.

    Raises:
        FileNotFoundError: It is gone: another one took its place, or its time was over.
        SegmentUnreadable: It is no segment, is damaged, or a later release wrote it.
        StorageUnreachable: The place cannot be read.
    """
    try:
        file = pq.ParquetFile(location.filesystem.open_input_file(location.full(path)))
        SegmentNote.of(file.schema_arrow, location.full(path))
        return file
    except FileNotFoundError:
        raise
    except pa.ArrowInvalid as error:
        raise SegmentUnreadable(location.full(path), str(error)) from error
    except OSError as error:
        raise StorageUnreachable(location.shown, str(error)) from error


def _repeats(field: pa.Field) -> bool:
    if field.name.startswith(FEATURE_PREFIX):
        return pa.types.is_string(field.type) and not field.metadata
    return field.name not in _DISTINCT and not pa.types.is_list(field.type)
