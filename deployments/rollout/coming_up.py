"""Whether applications that were asked for are up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from deployments.contracts.errors import DeployFailed
from deployments.rollout.serve_config import GATEWAY, Pool
from deployments.rollout.serve_target import DEPLOY_FAILED, ServeState

FAILURE_TAIL = 1500


def least(pools: Iterable[Pool]) -> dict[str, int]:
    """Applications that must be up for pools to be of use, and replicas of each."""
    return {GATEWAY: 1} | {str(pool.name): pool.least_replicas for pool in pools}


def up(state: ServeState, wanted: Mapping[str, int]) -> set[str]:
    """Those of some applications that run with at least so many replicas."""
    running = state.applications
    return {
        name
        for name, replicas in wanted.items()
        if name in running and running[name].is_up and running[name].replicas >= replicas
    }


def raise_failures(state: ServeState, names: Iterable[str]) -> None:
    """Stop waiting for what will not come up.

    Raises:
        DeployFailed: One of some applications will not.
    """
    for name in sorted(names):
        application = state.applications.get(name)
        if application is not None and application.status == DEPLOY_FAILED:
            raise DeployFailed(name, application.message[-FAILURE_TAIL:] or application.status)
