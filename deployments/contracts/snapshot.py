"""What a gateway tells the monitor: cumulative figures, so that a lost message or a restart loses nothing.

The latest snapshot of each gateway incarnation wins; snapshots of different gateways are added up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SNAPSHOT_CONTRACT = 1


@dataclass(slots=True)
class VersionCounts:
    """Everything one gateway counted of one model version since it started.

    Attributes:
        requests: Requests by outcome: ``OK`` or an error code.
        latency_counts: Requests by latency bucket (``metric_names.LATENCY_BUCKETS_SECONDS``, then one beyond).
        latency_sum: Seconds.
        rows: Rows that have a score.
        row_errors: Rows without one, by error code; in a list they do not fail the request.
        labels: Rows by returned label; empty for a regression.
        model_seconds: Time spent in the model.
        retries: Calls to the pool that had to be repeated.
    """

    requests: dict[str, int]
    latency_counts: list[int]
    latency_sum: float = 0.0
    rows: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    model_seconds: float = 0.0
    retries: int = 0
    row_errors: dict[str, int] = field(default_factory=dict)


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
    """

    gateway: str
    sequence: int
    sent: float
    policy_epochs: dict[str, int]
    weights: dict[str, dict[str, float]]
    versions: dict[tuple[str, str], VersionCounts]

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
                {
                    "model": model,
                    "version": version,
                    "requests": dict(counts.requests),
                    "latency_counts": list(counts.latency_counts),
                    "latency_sum": counts.latency_sum,
                    "rows": counts.rows,
                    "labels": dict(counts.labels),
                    "model_seconds": counts.model_seconds,
                    "retries": counts.retries,
                    "row_errors": dict(counts.row_errors),
                }
                for (model, version), counts in self.versions.items()
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
                (item["model"], item["version"]): VersionCounts(
                    requests=item["requests"],
                    latency_counts=item["latency_counts"],
                    latency_sum=item["latency_sum"],
                    rows=item["rows"],
                    labels=item["labels"],
                    model_seconds=item["model_seconds"],
                    retries=item["retries"],
                    row_errors=item["row_errors"],
                )
                for item in plain["versions"]
            },
        )
