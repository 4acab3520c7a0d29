"""How many replicas the two versions of a rollout must keep ready. Pure.

Autoscaling follows load with a delay: a candidate that is given half of the traffic would answer it with the
replicas that a twentieth needed, and a stable pool that has shrunk could not take everything back. So a
candidate's pool grows before its weight does, and stable's keeps what it had until the rollout is over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from math import ceil
from typing import Any

from deployments.contracts.endpoint import Scaling
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.traffic_policy import GatewayConfig, TrafficPolicy
from deployments.rollout.serve_config import Pool
from deployments.rollout.state import Rollout


def with_capacity(pools: Iterable[Pool], rollouts: Mapping[str, Rollout]) -> list[Pool]:
    """Pools with the least number of replicas that active rollouts ask of them."""
    floors: dict[ModelVersion, int] = {}
    for rollout in rollouts.values():
        if rollout.is_active:
            floors |= _floors(rollout)
    return [replace(pool, scaling=_raised(pool.scaling, floors.get(pool.name, 0))) for pool in pools]


def waiting(rollouts: Mapping[str, Rollout]) -> frozenset[str]:
    """Endpoints whose rollout has decided on a weight that replicas may still be missing for."""
    return frozenset(
        name for name, rollout in rollouts.items() if rollout.state.settled is None and rollout.state.weight
    )


def held_back(
    gateway: GatewayConfig, in_force: Mapping[str, Mapping[str, Any]], waiting: Collection[str]
) -> GatewayConfig:
    """Policies, those of endpoints that wait as they are in force; where none is, there is nothing to keep.

    Args:
        gateway: As decided.
        in_force: What the gateways have been given, by endpoint.
        waiting: Names of endpoints.
    """
    kept = {name: TrafficPolicy.model_validate(in_force[name]) for name in waiting if name in in_force}
    endpoints = tuple(kept.get(policy.endpoint, policy) for policy in gateway.endpoints)
    return gateway.model_copy(update={"endpoints": endpoints})


def _floors(rollout: Rollout) -> dict[ModelVersion, int]:
    carried = rollout.state.capacity or 0
    return {
        ModelVersion(rollout.model, rollout.stable): carried,
        ModelVersion(rollout.model, rollout.candidate): ceil(carried * rollout.state.weight / 100),
    }


def _raised(scaling: Scaling, floor: int) -> Scaling:
    """Never over the owner's own upper bound: a pool of a fixed size keeps it."""
    least = min(scaling.max_replicas, max(scaling.min_replicas, floor))
    return scaling if least == scaling.min_replicas else scaling.model_copy(update={"min_replicas": least})
