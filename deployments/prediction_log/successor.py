"""Putting one segment in the place of others, so that a reader sees each row exactly once at every moment.

The successor says in its footer whose rows it holds; from the moment that it is visible, readers ignore those.
Only then are they deleted. A job that is killed anywhere leaves either all of the old, or the successor with some
of the old beside it, which readers ignore and the next job deletes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import pyarrow as pa

from deployments.prediction_log import catalogue, layout, segment
from deployments.prediction_log.segment import SegmentNote
from deployments.storage.location import UNFINISHED, Location

ROW_GROUP_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment as its footer describes it.

    Attributes:
        path: Relative to the log's root.
        schema: Its columns.
        note: What it says of itself.
    """

    path: str
    schema: pa.Schema
    note: SegmentNote

    @property
    def name(self) -> str:
        """Its name in its directory."""
        return PurePosixPath(self.path).name


def settle(location: Location, directory: str) -> list[Segment]:
    """Finish what an earlier job began, and say which segments there are then.

    Args:
        location: The log.
        directory: A partition, relative to the log's root. What is half written there is removed; a gateway that
            was just writing it tries again.

    Raises:
        SegmentUnreadable: One is damaged or of a later release; nothing of the partition was changed.
        StorageUnreachable: The place cannot be read or written.
    """
    listed = location.files(directory)
    unfinished = [path for path in listed if PurePosixPath(path).name.endswith(UNFINISHED)]
    segments = [
        Segment(path, *segment.footer(location, path))
        for path in listed
        if layout.Partition.of_file(path) is not None
    ]
    replaced = {one.path: frozenset(one.note.replaces) for one in segments if layout.is_successor(one.path)}
    hidden = catalogue.superseded(replaced)
    for path in [*unfinished, *sorted(hidden & set(listed))]:
        location.delete(path)
    return [one for one in segments if one.path not in hidden]


def replace(
    location: Location,
    old: Sequence[Segment],
    prefix: str,
    note: SegmentNote,
    change: Callable[[pa.Table], pa.Table],
) -> int:
    """Put one segment in the place of others of the same partition and schema.

    Args:
        location: The log.
        old: What is replaced.
        prefix: ``layout.COMPACTED`` or ``layout.ERASED``.
        note: What the successor says of itself, as ``joined_note`` makes it.
        change: Applied to the rows of each segment.

    Returns:
        Rows of the successor.

    Raises:
        OSError: It could not be written; then nothing is changed.
        StorageUnreachable: Something could not be read or deleted.
    """
    name = layout.successor_name(prefix, [one.name for one in old])
    path = str(PurePosixPath(old[0].path).with_name(name))
    rows = 0
    with location.staged(path) as file, segment.writer(file, old[0].schema, note) as sink:
        waiting: list[pa.Table] = []
        for one in old:
            with segment.opened(location, one.path) as source:
                waiting.append(change(source.read()).replace_schema_metadata(None))
            rows += waiting[-1].num_rows
            if sum(table.num_rows for table in waiting) >= ROW_GROUP_ROWS:
                sink.write_table(pa.concat_tables(waiting).combine_chunks(), ROW_GROUP_ROWS)
                waiting.clear()
        if waiting:
            sink.write_table(pa.concat_tables(waiting).combine_chunks(), ROW_GROUP_ROWS)
    for one in old:
        location.delete(one.path)
    return rows


def joined_note(old: Iterable[Segment]) -> SegmentNote:
    """What a segment says of itself that holds the rows of others."""
    notes = [(one.name, one.note) for one in old]
    erased: dict[str, set[int]] = defaultdict(set)
    for _, note in notes:
        for gateway, sequences in note.erased.items():
            erased[gateway].update(sequences)
    gateways = {note.gateway for _, note in notes}
    return SegmentNote(
        gateway=gateways.pop() if len(gateways) == 1 else "",
        first_sequence=min(note.first_sequence for _, note in notes),
        last_sequence=max(note.last_sequence for _, note in notes),
        keys=tuple(sorted({key for _, note in notes for key in note.keys})),
        replaces=tuple(sorted(name for name, _ in notes)),
        erased={gateway: tuple(sorted(sequences)) for gateway, sequences in sorted(erased.items())},
    )
