"""What one gateway tells of all that it counted: to the monitor, and to whoever asks when that is silent."""

from __future__ import annotations

import time
from collections.abc import Mapping

from deployments.contracts.snapshot import GatewaySnapshot
from deployments.gateway.scoring import Scoring


def snapshot_of(scoring: Scoring, figures: Mapping[str, float] | None = None) -> GatewaySnapshot:
    """The cumulative figures of this moment, with the policies in force.

    Args:
        scoring: Counts, and knows the endpoints.
        figures: Of the gateway as a whole.
    """
    endpoints = scoring.endpoints
    return scoring.counters.snapshot(
        time.time(),
        {name: endpoint.policy.policy_epoch for name, endpoint in endpoints.items()},
        {
            name: {str(version): endpoint.shares.get(version, 0.0) for version in endpoint.policy.versions}
            for name, endpoint in endpoints.items()
        },
        figures,
    )
