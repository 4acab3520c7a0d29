"""The monitor's front door: a snapshot as a gateway sent it, checked before it is counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployments.contracts.errors import WireMismatch
from deployments.contracts.metric_names import LATENCY_BUCKETS_SECONDS, SHADOW_DIFFERENCE_BUCKETS
from deployments.contracts.snapshot import SNAPSHOT_CONTRACT, GatewaySnapshot

_LATENCY_BUCKETS = len(LATENCY_BUCKETS_SECONDS) + 1
_DIFFERENCE_BUCKETS = len(SHADOW_DIFFERENCE_BUCKETS) + 1


def read(plain: Mapping[str, Any]) -> GatewaySnapshot:
    """Read a snapshot that may come from a gateway of another release.

    Raises:
        WireMismatch: The contract version is another one, a field is missing, or the buckets are not
            ours: adding those up would give wrong quantiles that look right.
    """
    theirs = plain.get("contract")
    if theirs != SNAPSHOT_CONTRACT:
        raise WireMismatch("snapshot contracts", str(SNAPSHOT_CONTRACT), str(theirs))
    try:
        snapshot = GatewaySnapshot.from_plain(plain)
    except (KeyError, TypeError, ValueError) as error:
        raise WireMismatch("snapshot fields", "every field of the contract", f"failed at {error}") from error
    for (model, version), counts in snapshot.versions.items():
        for what, buckets, expected in (
            ("latency buckets", counts.latency_counts, _LATENCY_BUCKETS),
            ("shadow difference buckets", counts.shadow_differences, _DIFFERENCE_BUCKETS),
        ):
            if len(buckets) != expected:
                raise WireMismatch(what, str(expected), f"{len(buckets)} for {model} {version}")
    return snapshot
