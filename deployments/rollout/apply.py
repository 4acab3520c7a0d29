"""Making a serving cluster run what is wanted, in an order that loses no request.

First the pools come up beside what runs; only when they answer does the gateway get the policies that send traffic
to them; what nobody is sent to any more is removed last. Each step is a complete Serve config, so a crash between
two steps leaves a cluster that serves, and applying again finishes the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from deployments.contracts.errors import DeployFailed, TrafficNotApplied
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.traffic_policy import GatewayConfig
from deployments.rollout import serve_config
from deployments.rollout.serve_config import GATEWAY, Platform, Pool, ServeConfig
from deployments.rollout.serve_target import DEPLOY_FAILED, ServeState, ServeTarget

Progress = Callable[[str], None]
POLL_SECONDS = 0.25
FAILURE_TAIL = 1500


@dataclass(frozen=True, slots=True)
class Patience:
    """How long each phase may take, in seconds."""

    pools: float = 180.0
    policies: float = 30.0


class Applier:
    """Applies configs to one cluster.

    Args:
        target: The cluster.
        platform: What differs between a laptop and a cluster.
        patience: How long to wait.
        sleep: Waits between two looks; a test passes its own.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        target: ServeTarget,
        platform: Platform,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target, self._platform, self._patience = target, platform, patience or Patience()
        self._sleep, self._clock = sleep, clock

    def bring_up(self, pools: list[Pool], progress: Progress) -> None:
        """Bring up pools beside everything that runs; no traffic moves.

        Raises:
            DeployFailed: One did not come up; the cluster runs what it ran before.
            TrafficNotApplied: The cluster cannot be reached or refuses the config.
        """
        before = self._target.state()
        in_force = before.gateway_config or GatewayConfig().model_dump(mode="json", by_alias=True)
        wanted = serve_config.build(self._platform, pools, GatewayConfig())
        wanted = serve_config.with_gateway_config(wanted, in_force)
        self._target.put(serve_config.with_more_pools(wanted, _running(before)))
        try:
            self._await_up({str(pool.name) for pool in pools} | {GATEWAY}, progress)
        except DeployFailed:
            self._target.put({**wanted, "applications": _running(before)})
            raise

    def switch(self, pools: list[Pool], gateway: GatewayConfig, progress: Progress) -> None:
        """Give the gateways their policies, wait until all of them follow, remove pools that nobody is sent to.

        Args:
            pools: Those that are to run as described here. The pools of other endpoints stay as they run.
            gateway: The policies of all endpoints.
            progress: Told what is going on.

        Raises:
            TrafficNotApplied: The gateways did not take the policies over in time.
            DeployFailed: The gateway is not healthy under them.
        """
        running = self._target.state()
        named = {
            str(ModelVersion(policy.model, version)) for policy in gateway.endpoints for version in policy.versions
        }
        others = [application for application in _running(running) if application["name"] in named]
        final = serve_config.with_more_pools(serve_config.build(self._platform, pools, gateway), others)
        self._target.put(serve_config.with_more_pools(final, _running(running)))
        progress("waiting for every gateway to follow")
        self._await_policies(gateway)
        if serve_config.pool_names(final) != _pools(running):
            self._target.put(final)

    def check_up(self, names: set[str]) -> None:
        """Make sure that pools can take traffic now.

        Raises:
            TrafficNotApplied: One cannot, or the cluster cannot be asked.
        """
        state = self._target.state()
        dark = sorted(
            name for name in names if name not in state.applications or not state.applications[name].is_up
        )
        if dark:
            raise TrafficNotApplied(f"no traffic can go to {', '.join(dark)}: the pool is not running")

    def served_endpoints(self) -> set[str]:
        """Names of the endpoints that the gateways have been told of.

        Raises:
            TrafficNotApplied: The cluster cannot be asked.
        """
        given = (self._target.state().gateway_config or {}).get("endpoints", [])
        return {policy["endpoint"] for policy in given}

    def _await_up(self, names: set[str], progress: Progress) -> None:
        deadline = self._clock() + self._patience.pools
        told: set[str] = set()
        while True:
            state = self._target.state()
            up = {name for name in names if name in state.applications and state.applications[name].is_up}
            for name in sorted(up - told):
                progress(f"{name} is up")
            told |= up
            if up == names:
                return
            _raise_failures(state, names)
            if self._clock() > deadline:
                missing = ", ".join(sorted(names - up))
                raise DeployFailed(missing, f"not running after {self._patience.pools:g} s")
            self._sleep(POLL_SECONDS)

    def _await_policies(self, gateway: GatewayConfig) -> None:
        deadline = self._clock() + self._patience.policies
        wanted = {policy.endpoint: policy.policy_epoch for policy in gateway.endpoints}
        while True:
            state = self._target.state()
            _raise_failures(state, {GATEWAY})
            if self._follow(state, wanted):
                return
            if self._clock() > deadline:
                seen = self._target.policy_epochs()
                waited = f"{self._patience.policies:g} s"
                raise TrafficNotApplied(f"not every gateway follows after {waited}: wanted {wanted}, seen {seen}")
            self._sleep(POLL_SECONDS)

    def _follow(self, state: ServeState, wanted: dict[str, int]) -> bool:
        """Whether every running gateway says that it is at the wanted epoch."""
        gateway = state.applications.get(GATEWAY)
        if gateway is None or not gateway.is_up:
            return False
        seen = self._target.policy_epochs()
        if seen is None:  # the monitor is away: Serve's word that every replica was reconfigured must do
            given = (state.gateway_config or {}).get("endpoints", [])
            return wanted == {policy["endpoint"]: policy["policy_epoch"] for policy in given}
        return all(
            len(seen.get(endpoint, [])) >= gateway.replicas and min(seen[endpoint]) >= epoch
            for endpoint, epoch in wanted.items()
        )


def _running(state: ServeState) -> list[ServeConfig]:
    return [application.config for application in state.applications.values() if application.config]


def _pools(state: ServeState) -> set[str]:
    return state.applications.keys() - {GATEWAY, serve_config.MONITOR}


def _raise_failures(state: ServeState, names: set[str]) -> None:
    for name in sorted(names):
        application = state.applications.get(name)
        if application is not None and application.status == DEPLOY_FAILED:
            raise DeployFailed(name, application.message[-FAILURE_TAIL:] or application.status)
