"""Making a serving cluster run what is wanted, in an order that loses no request.

First the pools come up beside what runs; only when they answer does the gateway get the policies that send traffic
to them; what nobody is sent to any more is removed last, after a time in which the way back is short. Each step is
a complete Serve config, so a crash between two steps leaves a cluster that serves, and applying again finishes it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from deployments.contracts.errors import DeployFailed, TrafficNotApplied
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.traffic_policy import GatewayConfig, TrafficPolicy
from deployments.rollout import capacity, coming_up, config_difference, serve_config
from deployments.rollout.errors import CapacityComing
from deployments.rollout.serve_config import GATEWAY, Platform, Pool, ServeConfig
from deployments.rollout.serve_target import ServeState, ServeTarget

Progress = Callable[[str], None]
POLL_SECONDS = 0.25
_OWN = frozenset({GATEWAY, serve_config.MONITOR})


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
        waiting: Endpoints whose latest policy must not come into force yet: it needs replicas that are on their
            way. They keep the one in force, whatever else is applied.
        aside: Entered while pools are waited for: others may change the cluster then.
    """

    def __init__(
        self,
        target: ServeTarget,
        platform: Platform,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        waiting: Callable[[], Collection[str]] = tuple,
        aside: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._target, self._platform, self._patience = target, platform, patience or Patience()
        self._sleep, self._clock, self._waiting, self._aside = sleep, clock, waiting, aside

    def bring_up(self, pools: list[Pool], progress: Progress) -> None:
        """Bring up pools beside everything that runs; no traffic moves.

        One that may sleep comes up all the same where it is new here: else nobody would know whether it can.
        Others may change the cluster meanwhile: what was read of it before may be old afterwards.

        Raises:
            DeployFailed: One did not come up; these pools are again what they were before.
            TrafficNotApplied: The cluster cannot be reached or refuses the config.
        """
        before = self._target.state()
        pools = [replace(pool, floor=max(pool.floor, 1)) if _is_new(pool, before) else pool for pool in pools]
        wanted = self._beside(before, pools)
        self._target.put(wanted)
        try:
            self._await_up(coming_up.least(pools), progress)
        except DeployFailed:
            self._target.put({**wanted, "applications": self._without_new(wanted, before, pools)})
            raise

    def _without_new(self, wanted: ServeConfig, before: ServeState, pools: list[Pool]) -> list[ServeConfig]:
        """What is to run where pools did not come up: they as they were, all others as they are by now."""
        came = {application["name"] for application in wanted["applications"]} - before.configs.keys()
        own = {str(pool.name) for pool in pools} & before.configs.keys()
        again = {**before.configs, **self._target.state().configs, **{name: before.configs[name] for name in own}}
        return [config for name, config in again.items() if name not in came]

    def ask_for(self, pools: list[Pool]) -> None:
        """Ask for pools beside everything that runs, and return at once; no traffic moves. Again is no change.

        Raises:
            TrafficNotApplied: The cluster cannot be reached or refuses the config.
        """
        self._target.put(self._beside(self._target.state(), pools))

    def missing(self, pools: list[Pool]) -> list[str]:
        """Those of some pools, and of the gateway, that are not up yet, by name.

        Raises:
            DeployFailed: One will not come up.
            TrafficNotApplied: The cluster cannot be asked.
        """
        state, least = self._target.state(), coming_up.least(pools)
        coming_up.raise_failures(state, least)
        return sorted(least.keys() - coming_up.up(state, least))

    def switch(
        self, pools: list[Pool], gateway: GatewayConfig, progress: Progress, ready: str | None = None
    ) -> None:
        """Give the gateways their policies, and wait until all of them follow. No pool is removed.

        Args:
            pools: Those that are to run as described here. All others stay as they run.
            gateway: The policies of all endpoints.
            progress: Told what is going on.
            ready: The endpoint, if any, whose replicas were waited for.

        Raises:
            TrafficNotApplied: The gateways did not take the policies over in time.
            DeployFailed: The gateway is not healthy under them.
        """
        state = self._target.state()
        gateway = capacity.held_back(gateway, state.policies, set(self._waiting()) - {ready})
        wanted = self._config(pools, gateway)
        self._target.put(serve_config.with_more_pools(wanted, state.configs.values()))
        progress("waiting for every gateway to follow")
        self._await_policies(gateway)

    def grow(self, pools: list[Pool]) -> None:
        """Make sure that pools have their least number of replicas; those that are missing are asked for.

        Raises:
            CapacityComing: Some are missing.
            TrafficNotApplied: The cluster cannot be asked.
        """
        if self.drift(pools, None):  # before they are counted: one that may sleep could do so in between
            self.ask_for(pools)
        running = self._target.state().applications
        least = {str(pool.name): pool.least_replicas for pool in pools}
        seen = {name: running[name].replicas if name in running else 0 for name in least}
        short = [f"{name} has {seen[name]} of {least[name]}" for name in least if seen[name] < least[name]]
        if short:
            raise CapacityComing(f"waiting for replicas: {', '.join(short)}")

    def replicas(self, name: str) -> int:
        """Replicas of a pool that run.

        Raises:
            TrafficNotApplied: The cluster cannot be asked.
        """
        application = self._target.state().applications.get(name)
        return application.replicas if application else 0

    def drift(self, pools: list[Pool], gateway: GatewayConfig | None) -> dict[str, str]:
        """Where what Serve was asked to run is not what is wanted, by application; what is too much is not told.

        Args:
            pools: That are wanted.
            gateway: The policies that are wanted; None leaves gateway and monitor out of it.

        Raises:
            TrafficNotApplied: The cluster cannot be asked.
        """
        state = self._target.state()
        shown = capacity.held_back(gateway or GatewayConfig(), state.policies, self._waiting())
        config = self._config(pools, shown)
        wanted = {application["name"]: application for application in config["applications"]}
        if gateway is None:
            wanted = {name: application for name, application in wanted.items() if name not in _OWN}
        return config_difference.differences(state.configs, wanted)

    def superfluous(self, gateway: GatewayConfig) -> tuple[str, ...]:
        """Applications that run and that no policy names.

        Raises:
            TrafficNotApplied: The cluster cannot be asked.
        """
        return tuple(sorted(self._target.state().configs.keys() - _named(gateway) - _OWN))

    def retire(self, gateway: GatewayConfig) -> None:
        """Remove every application that no policy names.

        Raises:
            TrafficNotApplied: The cluster cannot be asked.
        """
        state = self._target.state()
        pools = [application for name, application in state.configs.items() if name in _named(gateway)]
        held = capacity.held_back(gateway, state.policies, self._waiting())
        wanted = serve_config.build(self._platform, [], held)
        self._target.put(serve_config.with_more_pools(wanted, pools))

    def check_up(self, names: set[str]) -> None:
        """Make sure that pools can take traffic now, if perhaps with fewer replicas than they should have.

        Raises:
            TrafficNotApplied: One cannot, or the cluster cannot be asked.
        """
        state = self._target.state()
        dark = sorted(
            name for name in names if name not in state.applications or not state.applications[name].takes_traffic
        )
        if dark:
            raise TrafficNotApplied(f"no traffic can go to {', '.join(dark)}: no replica of the pool is running")

    def served_endpoints(self) -> set[str]:
        """Names of the endpoints that the gateways have been told of.

        Raises:
            TrafficNotApplied: The cluster cannot be asked.
        """
        return set(self._target.state().policies)

    def _beside(self, before: ServeState, pools: list[Pool]) -> ServeConfig:
        """What runs, with the policies that are in force, and more pools."""
        in_force = before.gateway_config or GatewayConfig().model_dump(mode="json", by_alias=True)
        policies = [TrafficPolicy.model_validate(policy, extra="ignore") for policy in before.policies.values()]
        wanted = serve_config.build(self._platform, capacity.kept_awake(pools, policies), GatewayConfig())
        wanted = serve_config.with_gateway_config(wanted, in_force)
        return serve_config.with_more_pools(wanted, before.configs.values())

    def _config(self, pools: list[Pool], gateway: GatewayConfig) -> ServeConfig:
        """Policies and pools, none of which sleeps that the policies need."""
        return serve_config.build(self._platform, capacity.kept_awake(pools, gateway.endpoints), gateway)

    def _await_up(self, least: Mapping[str, int], progress: Progress) -> None:
        """Wait until applications run with at least so many replicas."""
        deadline = self._clock() + self._patience.pools
        told: set[str] = set()
        while True:
            state = self._target.state()
            up = coming_up.up(state, least)
            for name in sorted(up - told):
                progress(f"{name} is up")
            told |= up
            if up == least.keys():
                return
            coming_up.raise_failures(state, least)
            if self._clock() > deadline:
                missing = ", ".join(sorted(least.keys() - up))
                raise DeployFailed(missing, f"not running after {self._patience.pools:g} s")
            with self._aside():
                self._sleep(POLL_SECONDS)

    def _await_policies(self, gateway: GatewayConfig) -> None:
        deadline = self._clock() + self._patience.policies
        wanted = {policy.endpoint: policy.policy_epoch for policy in gateway.endpoints}
        while True:
            state = self._target.state()
            coming_up.raise_failures(state, [GATEWAY])
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
            return wanted == {name: policy["policy_epoch"] for name, policy in state.policies.items()}
        return all(
            len(seen.get(endpoint, [])) >= gateway.replicas and min(seen[endpoint]) >= epoch
            for endpoint, epoch in wanted.items()
        )


def _named(gateway: GatewayConfig) -> set[str]:
    return {
        str(ModelVersion(policy.model, version)) for policy in gateway.endpoints for version in policy.versions
    }


def _is_new(pool: Pool, before: ServeState) -> bool:
    """Whether a pool does not run with its package."""
    config = before.configs.get(str(pool.name))
    return config is None or config.get("args", {}).get("digest") != pool.digest
