"""What a worker counts: cumulative, so that a reading that is lost is made good by the next."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from deployments.contracts.metric_names import LATENCY_BUCKETS_SECONDS
from deployments.streaming.record import Partition


@dataclass(slots=True)
class StreamFigures:
    """Figures of one worker since it began.

    Attributes:
        records: Records that are out, by outcome: ``metric_names.OK`` or the code of their rejection.
        latency_counts: Of records that are out, by bucket of ``LATENCY_BUCKETS_SECONDS`` and one above: seconds
            from the time that the record carries to the acknowledgement of its result.
        latency_sum: Of all of them, in seconds.
        retries: Attempts that had to be made again.
        waiting_for: Who has to be asked again, and why; empty once a record came out after it.
        in_flight: Records that were read and are not out.
        lag: Records of each partition that were not read yet.
    """

    records: dict[str, int] = field(default_factory=dict)
    latency_counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BUCKETS_SECONDS) + 1))
    latency_sum: float = 0.0
    retries: int = 0
    waiting_for: str = ""
    in_flight: int = 0
    lag: dict[Partition, int] = field(default_factory=dict)

    def out(self, outcome: str, seconds: float) -> None:
        """Count a record whose result is acknowledged."""
        self.records[outcome] = self.records.get(outcome, 0) + 1
        self.latency_counts[bisect_left(LATENCY_BUCKETS_SECONDS, seconds)] += 1
        self.latency_sum += seconds
        self.waiting_for = ""

    def retried(self, reason: str) -> None:
        """Count an attempt that has to be made again."""
        self.retries += 1
        self.waiting_for = reason
