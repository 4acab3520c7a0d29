"""What a gateway tells the monitor: cumulative figures, so that a lost message or a restart loses nothing.

The latest snapshot of each gateway incarnation wins; snapshots of different gateways are added up. Fields may be
added within a contract version: one that a sender does not know counts as nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from deployments.contracts.distributions import Distributions, PackageKey
from deployments.contracts.metric_names import LATENCY_BUCKETS_SECONDS, SHADOW_DIFFERENCE_BUCKETS

SNAPSHOT_CONTRACT = 1


class ShadowDrop(StrEnum):
    """Why a request was not copied to a shadow.

    Attributes:
        TOO_LARGE: It alone has more rows than may be in flight.
        FULL: Too many rows are in flight already.
        NOT_READY: The shadow's pool does not answer, or has not said yet what it serves.
    """

    TOO_LARGE = "too_large"
    FULL = "full"
    NOT_READY = "not_ready"


def _buckets(bounds: tuple[float, ...]) -> list[int]:
    return [0] * (len(bounds) + 1)


@dataclass(slots=True)
class VersionCounts:
    """Everything one gateway counted of one model version since it started.

    Attributes:
        requests: Requests by outcome: ``OK`` or an error code. A request that stable answered after this version
            failed counts here with the failure's code, and as ``OK`` at stable.
        latency_counts: Requests by latency bucket (``metric_names.LATENCY_BUCKETS_SECONDS``, then one beyond).
        latency_sum: Seconds.
        rows: Rows that have a score.
        row_errors: Rows without one, by error code; in a list they do not fail the request.
        labels: Rows by returned label; empty for a regression.
        model_seconds: Time spent in the model.
        retries: Calls to the pool that had to be repeated.
        failovers: Requests that were assigned to this version and answered by stable, by error code.
        cache_hits: Rows answered from the result cache.
        cache_misses: Rows looked for there and not found.
        shadow_rows: Copies of rows that this version answered as a shadow.
        shadow_drops: Copies that were not made, by reason (``ShadowDrop``).
        shadow_failed: Copies without an answer.
        shadow_disagreements: Copies whose label is not the one that the caller got.
        shadow_differences: Copies by absolute difference of the score from the caller's
            (``metric_names.SHADOW_DIFFERENCE_BUCKETS``, then one beyond).
        shadow_difference_sum: Sum of those differences.
        feedback: Feedback on this version's predictions, each prediction's every message once.
        feedback_successes: Predictions of the split's, under a bandit, whose first value met its goal.
        feedback_failures: Those whose first value did not.
    """

    requests: dict[str, int] = field(default_factory=dict)
    latency_counts: list[int] = field(default_factory=lambda: _buckets(LATENCY_BUCKETS_SECONDS))
    latency_sum: float = 0.0
    rows: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    model_seconds: float = 0.0
    retries: int = 0
    row_errors: dict[str, int] = field(default_factory=dict)
    failovers: dict[str, int] = field(default_factory=dict)
    cache_hits: int = 0
    cache_misses: int = 0
    shadow_rows: int = 0
    shadow_drops: dict[str, int] = field(default_factory=dict)
    shadow_failed: int = 0
    shadow_disagreements: int = 0
    shadow_differences: list[int] = field(default_factory=lambda: _buckets(SHADOW_DIFFERENCE_BUCKETS))
    shadow_difference_sum: float = 0.0
    feedback: int = 0
    feedback_successes: int = 0
    feedback_failures: int = 0

    def add(self, other: VersionCounts, sign: int = 1) -> None:
        """Add another's figures to these; ``sign=-1`` takes them away again."""
        for name in _FIGURES:
            ours, theirs = getattr(self, name), getattr(other, name)
            if isinstance(ours, dict):
                for key, count in theirs.items():
                    ours[key] = ours.get(key, 0) + sign * count
            elif isinstance(ours, list):
                setattr(self, name, [left + sign * right for left, right in zip(ours, theirs, strict=True)])
            else:
                setattr(self, name, ours + sign * theirs)

    def to_plain(self) -> dict[str, Any]:
        """The figures as plain data of their own."""
        return {name: _copied(getattr(self, name)) for name in _FIGURES}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> VersionCounts:
        """Read figures; what is unknown is ignored, what is missing counts as nothing."""
        return cls(**{name: plain[name] for name in _FIGURES if name in plain})


_FIGURES = tuple(described.name for described in fields(VersionCounts))


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, dict | list) else value


@dataclass(frozen=True, slots=True)
class GatewaySnapshot:
    """All of one gateway's figures at one moment.

    Attributes:
        gateway: Identity of the replica's incarnation; a restarted replica has another.
        sequence: Rises by one with each snapshot.
        sent: Unix time in seconds.
        policy_epochs: The policy epoch in force, by endpoint.
        weights: The share of each version in force (0 to 1), by endpoint and version.
        versions: Figures by (model, version); the model is the endpoint's registered model.
        figures: Of the gateway as a whole, cumulative, by name (``metric_names.GATEWAY_FIGURES``).
        distributions: Rows on the bins of each package's reference profile.
    """

    gateway: str
    sequence: int
    sent: float
    policy_epochs: dict[str, int]
    weights: dict[str, dict[str, float]]
    versions: dict[tuple[str, str], VersionCounts]
    figures: dict[str, float] = field(default_factory=dict)
    distributions: dict[PackageKey, Distributions] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """The snapshot as a dictionary of plain data."""
        return {
            "contract": SNAPSHOT_CONTRACT,
            "gateway": self.gateway,
            "sequence": self.sequence,
            "sent": self.sent,
            "policy_epochs": dict(self.policy_epochs),
            "weights": {endpoint: dict(shares) for endpoint, shares in self.weights.items()},
            "versions": [
                {"model": model, "version": version, **counts.to_plain()}
                for (model, version), counts in self.versions.items()
            ],
            "figures": dict(self.figures),
            "distributions": [
                {"model": model, "version": version, "digest": digest, **counted.to_plain()}
                for (model, version, digest), counted in self.distributions.items()
            ],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> GatewaySnapshot:
        """Read a snapshot; unknown fields are ignored."""
        return cls(
            gateway=plain["gateway"],
            sequence=plain["sequence"],
            sent=plain["sent"],
            policy_epochs=plain["policy_epochs"],
            weights=plain["weights"],
            versions={
                (item["model"], item["version"]): VersionCounts.from_plain(item) for item in plain["versions"]
            },
            figures=plain.get("figures", {}),
            distributions={
                (item["model"], item["version"], item["digest"]): Distributions.from_plain(item)
                for item in plain.get("distributions", ())
            },
        )
