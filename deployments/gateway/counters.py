"""What a gateway counts of every version, cumulatively, and the snapshot it sends."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from deployments.contracts.distributions import PackageKey
from deployments.contracts.metric_names import LATENCY_BUCKETS_SECONDS, NO_VERSION, OK, UNKNOWN_MODEL
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.snapshot import GatewaySnapshot, ShadowDrop, VersionCounts
from deployments.contracts.wire import PoolDescription
from deployments.gateway.distribution_counter import DistributionCounter
from deployments.gateway.problems import row_problem

RECENT_LATENCIES = 1024


@dataclass(slots=True)
class Recent:
    """The last answers of one model, for ``/health``."""

    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_LATENCIES))
    last_answer: datetime | None = None

    def p95_seconds(self) -> float | None:
        """95th percentile of the last answers' latency, or None before the first."""
        ordered = sorted(self.latencies)
        return ordered[int(0.95 * (len(ordered) - 1))] if ordered else None


class Counters:
    """Counts requests; belongs to one event loop.

    Args:
        gateway: Identity of this replica's incarnation.
    """

    def __init__(self, gateway: str) -> None:
        self.gateway = gateway
        self._versions: dict[tuple[str, str], VersionCounts] = {}
        self._distributions: dict[PackageKey, DistributionCounter] = {}
        self._recent: dict[str, Recent] = {}
        self._sequence = 0

    def of(self, model: str, version: str) -> VersionCounts:
        """The figures of one version, made at first use so that its series exist before its first request."""
        counts = self._versions.get((model, version))
        if counts is None:
            counts = self._versions[(model, version)] = VersionCounts()
        return counts

    def distributions(self, name: ModelVersion, described: PoolDescription) -> DistributionCounter:
        """What counts the rows of one package; a version that comes back goes on where it was."""
        key = (name.model, str(name.version), described.digest)
        known = self._distributions.get(key)
        if known is None:
            known = self._distributions[key] = DistributionCounter(
                described.schema, described.reference, described.metadata.task
            )
        return known

    def recent(self, model: str) -> Recent:
        """The last answers of one model."""
        return self._recent.setdefault(model, Recent())

    def answered(self, counts: VersionCounts, model: str, seconds: float, now: datetime) -> None:
        """Count a request that was answered."""
        self._observe(counts, OK, seconds)
        recent = self._recent.get(model) or self.recent(model)
        recent.latencies.append(seconds)
        recent.last_answer = now

    @staticmethod
    def rows(counts: VersionCounts, answered: int, failures: Mapping[int, str]) -> None:
        """Count the rows of a request that a pool answered.

        Args:
            counts: Of the version that answered.
            answered: Rows, those without a score included.
            failures: Why rows have no score, by position.
        """
        counts.rows += answered - len(failures)
        for reason in failures.values():
            code = row_problem(reason).code.value
            counts.row_errors[code] = counts.row_errors.get(code, 0) + 1

    def failed(self, model: str | None, version: str | None, code: str, seconds: float) -> None:
        """Count a request that was refused or failed.

        Args:
            model: A model that is served here, or None: a caller's text never becomes a label.
            version: The version that was chosen, or None.
            code: Error code of the answer.
            seconds: From arrival to answer.
        """
        self._observe(self.of(model or UNKNOWN_MODEL, version or NO_VERSION), code, seconds)

    def failed_over(self, model: str, version: Version, code: str, seconds: float) -> None:
        """Count a failure of a version that stable is about to make good."""
        counts = self.of(model, str(version))
        self._observe(counts, code, seconds)
        counts.failovers[code] = counts.failovers.get(code, 0) + 1

    def shadow_dropped(self, model: str, version: Version, reason: ShadowDrop, rows: int) -> None:
        """Count rows that were not copied to a shadow, whose pool may never have described itself."""
        drops = self.of(model, str(version)).shadow_drops
        drops[reason.value] = drops.get(reason.value, 0) + rows

    @staticmethod
    def _observe(counts: VersionCounts, outcome: str, seconds: float) -> None:
        counts.requests[outcome] = counts.requests.get(outcome, 0) + 1
        counts.latency_counts[bisect_left(LATENCY_BUCKETS_SECONDS, seconds)] += 1
        counts.latency_sum += seconds

    def snapshot(
        self,
        now: float,
        policy_epochs: Mapping[str, int],
        weights: Mapping[str, Mapping[str, float]],
        figures: Mapping[str, float] | None = None,
    ) -> GatewaySnapshot:
        """All figures so far; each snapshot has the next sequence number."""
        self._sequence += 1
        return GatewaySnapshot(
            gateway=self.gateway,
            sequence=self._sequence,
            sent=now,
            policy_epochs=dict(policy_epochs),
            weights={endpoint: dict(shares) for endpoint, shares in weights.items()},
            versions=self._versions,
            figures=dict(figures or {}),
            distributions={key: counter.counted() for key, counter in self._distributions.items()},
        )
