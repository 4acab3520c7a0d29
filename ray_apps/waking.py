"""Pools that may sleep, where weights of the local stack are changed by hand, by a rollout or an experiment."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from deployments.contracts.errors import RaygateError
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.rollout.apply import Applier
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.serve_config import Pool
from ray_apps.admission import Admission


def bring_up(
    applier: Applier,
    admission: Admission,
    before: TrafficPolicy,
    after: WantedEndpoint,
    progress: Callable[[str], None],
) -> bool:
    """Bring up the pools that may sleep under one policy and may not under the next one.

    Args:
        applier: Of the stack.
        admission: Knows the endpoint's pools.
        before: The policy in force.
        after: The endpoint with the policy that is to come.
        progress: Told what is going on.

    Returns:
        Whether there are any: then others were let in meanwhile, and what was read before may be old.

    Raises:
        RaygateError: One did not come up, or has no package.
    """
    policy = after.policy
    woken = {
        ModelVersion(policy.model, version)
        for version in policy.sleepers
        if before.may_sleep(version) and not policy.may_sleep(version)
    }
    if woken:
        applier.bring_up([pool for pool in admission.pools(after) if pool.name in woken], progress)
    return bool(woken)


def pools(pools_of: Callable[[WantedEndpoint], list[Pool]], wanted: WantedEndpoint) -> list[Pool]:
    """Pools whose least number of replicas follows the weights: an endpoint's, if one of them may sleep.

    A package that is gone must not keep traffic from moving: then none, and all stay as they run.
    """
    if wanted.policy.sleepers:
        with suppress(RaygateError):
            return pools_of(wanted)
    return []
