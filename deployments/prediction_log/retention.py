"""What is too old leaves the log, whole partitions at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deployments.prediction_log import catalogue, layout
from deployments.prediction_log.errors import InvalidLogQuery
from deployments.prediction_log.layout import Partition
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


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how long a log is kept.

    Attributes:
        days: Days, above 0, of what has none of its own.
        of_models: Days of single models, as their endpoints say.
        model: Only this model's predictions are meant; otherwise those of all models, and feedback.
    """

    days: float
    of_models: Mapping[str, float] = field(default_factory=dict)
    model: str | None = None

    def days_of(self, partition: Partition) -> float:
        """Days that a partition is kept; feedback, which is of all models, as long as the longest of them."""
        if partition.model:
            return self.of_models.get(partition.model, self.days)
        return max(self.days, *self.of_models.values(), 0)


def expired_partitions(location: Location, keeping: Keeping, now: datetime) -> list[str]:
    """Directories of partitions whose last moment is longer ago than they are kept.

    Args:
        location: The log.
        keeping: For how long.
        now: The present moment.

    Raises:
        InvalidLogQuery: Days are not above 0.
        StorageUnreachable: The place cannot be read.
    """
    for days in (keeping.days, *keeping.of_models.values()):
        if not days > 0:
            raise InvalidLogQuery("days", f"{days:g}", "a number above 0")
    return [
        directory
        for directory, (partition, _) in catalogue.partitions(location).items()
        if partition.end <= now - timedelta(days=keeping.days_of(partition))
        and keeping.model in (None, partition.model)
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
