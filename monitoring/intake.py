"""The monitor's front door: a snapshot as a gateway sent it, checked before it is counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployments.contracts.errors import WireMismatch
from deployments.contracts.metric_names import LATENCY_BUCKETS_SECONDS
from deployments.contracts.snapshot import SNAPSHOT_CONTRACT, GatewaySnapshot

_BUCKETS = len(LATENCY_BUCKETS_SECONDS) + 1


def read(plain: Mapping[str, Any]) -> GatewaySnapshot:
    """Read a snapshot that may come from a gateway of another release.

    Raises:
        WireMismatch: The contract version is another one, a field is missing, or the latency buckets are not
            ours: adding those up would give wrong quantiles that look right.
    """
    theirs = plain.get("contract")
    if theirs != SNAPSHOT_CONTRACT:
        raise WireMismatch("snapshot contracts", str(SNAPSHOT_CONTRACT), str(theirs))
    try:
        snapshot = GatewaySnapshot.from_plain(plain)
    except (KeyError, TypeError) as error:
        raise WireMismatch("snapshot fields", "every field of the contract", f"failed at {error}") from error
    for (model, version), counts in snapshot.versions.items():
        if len(counts.latency_counts) != _BUCKETS:
            theirs = f"{len(counts.latency_counts)} for {model} {version}"
            raise WireMismatch("latency buckets", str(_BUCKETS), theirs)
    return snapshot
