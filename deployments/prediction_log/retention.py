"""What is too old leaves the log, whole partitions at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from deployments.prediction_log import catalogue, layout
from deployments.prediction_log.errors import InvalidLogQuery
from deployments.storage.location import Location


@dataclass(frozen=True, slots=True)
class Expiry:
    """What left the log.

    Attributes:
        partitions: Partitions that are gone.
        segments: Segments that they had.
    """

    partitions: int
    segments: int


def expired_partitions(location: Location, keep_days: float, now: datetime, model: str | None = None) -> list[str]:
    """Directories of partitions whose last moment is longer ago than the log is kept.

    Args:
        location: The log.
        keep_days: Days, above 0.
        now: The present moment.
        model: Only this model's predictions; otherwise those of all models, and feedback.

    Raises:
        InvalidLogQuery: The days are not above 0.
        StorageUnreachable: The place cannot be read.
    """
    if not keep_days > 0:
        raise InvalidLogQuery("days", f"{keep_days:g}", "a number above 0")
    end = now - timedelta(days=keep_days)
    return [
        directory
        for directory, (partition, _) in catalogue.partitions(location).items()
        if partition.end <= end and model in (None, partition.model)
    ]


def expire(location: Location, directory: str) -> Expiry:
    """Delete a partition; may be killed and repeated at any time.

    Raises:
        StorageUnreachable: The place cannot be written.
    """
    paths = location.files(directory)
    # Successors last: without them readers would see again what they had replaced.
    for path in sorted(paths, key=layout.is_successor):
        location.delete(path)
    location.prune(directory)
    return Expiry(1, sum(layout.Partition.of_file(path) is not None for path in paths))
