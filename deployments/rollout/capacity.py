"""How many replicas pools must keep ready, whatever their owners allow. Pure.

Autoscaling follows load with a delay: a candidate that is given half of the traffic would answer it with the
replicas that a twentieth needed, and a stable pool that has shrunk could not take everything back. So a
candidate's pool grows before its weight does, and stable's keeps what it had until the rollout is over. And a pool
that requests come to without anybody's asking for its version never sleeps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from math import ceil
from typing import Any

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
    return [_with_floor(pool, floors.get(pool.name, 0)) for pool in pools]


def kept_awake(pools: Iterable[Pool], policies: Iterable[TrafficPolicy]) -> list[Pool]:
    """Pools with a replica at the least where policies need one.

    Args:
        pools: As their owners allow them to be, or rollouts need them.
        policies: In force, or about to be.
    """
    awake = {
        ModelVersion(policy.model, version)
        for policy in policies
        for version in policy.versions
        if policy.keeps_awake(version)
    }
    return [_with_floor(pool, 1) if pool.name in awake else pool for pool in pools]


def proved(pools: Iterable[Pool], before: TrafficPolicy | None) -> list[Pool]:
    """Pools with a replica at the least where their version is new: else nobody would know whether it comes up.

    Args:
        pools: As a policy and rollouts need them.
        before: The policy in force, if any.
    """
    known = {ModelVersion(before.model, version) for version in before.versions} if before else set()
    return [pool if pool.name in known else _with_floor(pool, 1) for pool in pools]


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
    """A candidate is awake before it has any weight, and may sleep as soon as it is withdrawn."""
    carried, awake = rollout.state.capacity or 0, 0 if rollout.state.phase.is_final else 1
    return {
        ModelVersion(rollout.model, rollout.stable): carried,
        ModelVersion(rollout.model, rollout.candidate): max(awake, ceil(carried * rollout.state.weight / 100)),
    }


def _with_floor(pool: Pool, floor: int) -> Pool:
    return replace(pool, floor=max(pool.floor, floor))
