"""Many small segments of a closed partition become one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pyarrow as pa

from deployments.prediction_log import catalogue, layout, successor
from deployments.prediction_log.columns import reencrypted
from deployments.prediction_log.personal_data import PersonalDataKeys
from deployments.prediction_log.successor import Segment
from deployments.storage.location import Location

GRACE = timedelta(minutes=15)
"""A partition counts as closed so long after its end: gateways may still have rows of it."""


@dataclass(frozen=True, slots=True)
class Compaction:
    """What a compaction did to one partition.

    Attributes:
        directory: The partition.
        before: Segments there were.
        after: Segments there are.
        rows: Rows in segments that were written anew.
    """

    directory: str
    before: int
    after: int
    rows: int


def closed_partitions(location: Location, now: datetime, grace: timedelta = GRACE) -> list[str]:
    """Directories of partitions that gateways write to no more.

    Raises:
        StorageUnreachable: The place cannot be read.
    """
    partitions = catalogue.partitions(location)
    return [directory for directory, (partition, _) in partitions.items() if partition.end + grace <= now]


def compact(location: Location, directory: str, keys: PersonalDataKeys | None = None) -> Compaction:
    """Join the segments of a partition that have the same columns; may be killed and repeated at any time.

    One job at a time works on a log; gateways and readers go on meanwhile.

    Args:
        location: The log.
        directory: A partition that no gateway writes to any more.
        keys: Encrypt personal data again, under the first key, where another one was used. Pseudonyms stay: their
            keys must be kept for as long as somebody is to be found by them.

    Raises:
        SegmentUnreadable: A segment is damaged or of a later release; nothing was changed.
        InvalidPersonalDataKey: A value was encrypted with a key that is not among them; nothing was changed.
        StorageUnreachable: The place cannot be read or written.
    """
    segments = successor.settle(location, directory)
    groups: dict[bytes, list[Segment]] = defaultdict(list)
    for one in segments:
        groups[one.schema.serialize().to_pybytes()].append(one)
    rows, after = 0, len(segments)
    for group in groups.values():
        stale = keys is not None and any(set(one.note.keys) - {keys.identity} for one in group)
        if len(group) == 1 and not stale:
            continue
        rows += _join(location, group, keys if stale else None)
        after -= len(group) - 1
    return Compaction(directory, len(segments), after, rows)


def _join(location: Location, group: list[Segment], keys: PersonalDataKeys | None) -> int:
    note = successor.joined_note(group)
    if keys is None:
        return successor.replace(location, group, layout.COMPACTED, note, _unchanged)
    note = replace(note, keys=(keys.identity,))
    return successor.replace(location, group, layout.COMPACTED, note, lambda table: reencrypted(table, keys))


def _unchanged(table: pa.Table) -> pa.Table:
    return table
