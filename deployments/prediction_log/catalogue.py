"""Which segments count: in the asked time, and not replaced by a newer one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from deployments.prediction_log import layout, segment
from deployments.prediction_log.errors import InvalidLogQuery
from deployments.prediction_log.layout import FEEDBACK, PREDICTIONS, Partition
from deployments.storage.location import Location

LONGEST = timedelta(minutes=15)
"""A gateway closes a segment half a minute after its first record; so long after it no record goes into it."""


def predictions(
    location: Location,
    model: str | None = None,
    version: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[str]:
    """Segments of predictions, oldest partition first.

    Args:
        location: The log.
        model: Only this registered model.
        version: Only what this version answered.
        since: Only partitions that end later.
        until: Only partitions that start earlier.

    Raises:
        InvalidLogQuery: A moment has no time zone.
        StorageUnreachable: The place cannot be read.
    """
    below = PREDICTIONS
    if model is not None:
        below += f"/model={model}" + (f"/version={version}" if version is not None else "")
    wanted = [
        path
        for path, partition in _in_time(location.files(below), since, until)
        if version in (None, partition.version)
    ]
    return visible(location, wanted)


def feedback(location: Location, since: datetime | None = None, until: datetime | None = None) -> list[str]:
    """Segments of feedback, oldest first; arguments and errors as for ``predictions``.

    A partition is a day: of the day that ``since`` lies in, segments that were closed before are left out.
    """
    paths = [path for path, _ in _in_time(location.files(FEEDBACK), since, until)]
    if since is not None:
        paths = [path for path in paths if (began := layout.began(path)) is None or began + LONGEST >= since]
    return visible(location, paths)


def visible(location: Location, paths: Iterable[str]) -> list[str]:
    """Those of the segments whose rows are not in another one too.

    Args:
        location: The log.
        paths: All segments of the directories in question.
    """
    listed = list(paths)
    replaced = {
        path: frozenset(segment.footer(location, path)[1].replaces) for path in listed if layout.is_successor(path)
    }
    hidden = superseded(replaced)
    return [path for path in listed if path not in hidden]


def superseded(replaced: Mapping[str, frozenset[str]]) -> set[str]:
    """Paths whose rows other segments hold.

    Two jobs that overlapped may both have replaced the same segment. Then the one that replaced more holds all
    that the other one holds.

    Args:
        replaced: For each successor, the names of what it replaced in its directory.
    """
    hidden = {str(PurePosixPath(path).with_name(name)) for path, names in replaced.items() for name in names}
    rivals: dict[str, list[str]] = defaultdict(list)
    for path in replaced:
        rivals[str(PurePosixPath(path).parent)].append(path)
    for paths in rivals.values():
        hidden.update(one for one in paths for other in paths if replaced[one] < replaced[other])
    return hidden


def partitions(location: Location) -> dict[str, tuple[Partition, list[str]]]:
    """Every partition with a segment, by its directory, with all of its segments, replaced ones included."""
    found: dict[str, tuple[Partition, list[str]]] = {}
    for path in [*location.files(PREDICTIONS), *location.files(FEEDBACK)]:
        partition = Partition.of_file(path)
        if partition is not None:
            found.setdefault(partition.path, (partition, []))[1].append(path)
    return found


def _in_time(paths: Iterable[str], since: datetime | None, until: datetime | None) -> list[tuple[str, Partition]]:
    for argument, moment in (("since", since), ("until", until)):
        if moment is not None and moment.tzinfo is None:
            raise InvalidLogQuery(argument, str(moment), "a moment with a time zone, such as datetime.now(UTC)")
    found = [(path, partition) for path in paths if (partition := Partition.of_file(path)) is not None]
    chosen = [
        (path, partition)
        for path, partition in found
        if (since is None or partition.end > since) and (until is None or partition.start < until)
    ]
    return sorted(chosen, key=lambda one: (one[1].start, one[0]))
