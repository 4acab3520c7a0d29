"""When a batch will be done: from the size of its input and what batches of the same model took before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

START_SECONDS = 15.0
"""Until the first row of a job is scored: Ray starts a driver and the actors load the packages."""
BYTES_PER_SECOND = 400_000.0
"""Assumed of a model that was never measured: a parquet file of the credit-risk example on one slow core."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A batch that is done."""

    size: int
    seconds: float

    @property
    def bytes_per_second(self) -> float:
        """Throughput without the start."""
        return self.size / max(self.seconds - START_SECONDS, 1.0)


def completion(now: datetime, size: int, measured: Sequence[Measured]) -> datetime:
    """When a batch that starts now will be done.

    Args:
        now: The time.
        size: Bytes of its input.
        measured: Earlier batches of the same model; their median counts.
    """
    paces = [one.bytes_per_second for one in measured if one.size > 0]
    pace = median(paces) if paces else BYTES_PER_SECOND
    return now + timedelta(seconds=START_SECONDS + size / pace)
