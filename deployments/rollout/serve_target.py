"""Where a Serve config goes: the port to a serving cluster, and the double that tests use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from deployments.rollout.serve_config import GATEWAY, ServeConfig

RUNNING = "RUNNING"
DEPLOY_FAILED = "DEPLOY_FAILED"
"""The only status that waiting does not mend: an unhealthy replica is being replaced."""


@dataclass(frozen=True, slots=True)
class ApplicationState:
    """One application as Serve sees it.

    Attributes:
        status: Serve's word for the application: ``RUNNING``, ``DEPLOYING``, ``DEPLOY_FAILED``, ...
        healthy: Every deployment of it is healthy, if perhaps on its way to another number of replicas.
        message: Serve's explanation, if any.
        config: What was deployed.
        replicas: Replicas that run, over all deployments.
    """

    status: str
    healthy: bool
    message: str
    config: dict[str, Any]
    replicas: int

    @property
    def is_up(self) -> bool:
        """Whether it runs as it was asked for."""
        return self.status == RUNNING and self.healthy

    @property
    def takes_traffic(self) -> bool:
        """Whether somebody answers: a pool that replaces a replica still does, with the others."""
        return self.replicas > 0


@dataclass(frozen=True, slots=True)
class ServeState:
    """What a cluster runs."""

    applications: Mapping[str, ApplicationState]

    @property
    def gateway_config(self) -> dict[str, Any] | None:
        """The ``user_config`` that the gateway has been given, or None if there is no gateway."""
        gateway = self.applications.get(GATEWAY)
        if gateway is None or not gateway.config:  # Serve forgets the config of what it deletes
            return None
        config: dict[str, Any] | None = gateway.config["deployments"][0].get("user_config")
        return config

    @property
    def policies(self) -> dict[str, dict[str, Any]]:
        """The policies that the gateways have been given, by endpoint."""
        given = (self.gateway_config or {}).get("endpoints", [])
        return {policy["endpoint"]: policy for policy in given}

    @property
    def configs(self) -> dict[str, ServeConfig]:
        """What was deployed, by application; one that is being deleted has none any more."""
        configs = [application.config for application in self.applications.values() if application.config]
        return {config["name"]: config for config in configs}


class ServeTarget(Protocol):
    """A serving cluster."""

    def state(self) -> ServeState:
        """What runs now.

        Raises:
            TrafficNotApplied: The cluster cannot be asked.
        """
        ...

    def put(self, config: ServeConfig) -> None:
        """Ask for exactly this; returns when the request is taken, not when it is done.

        Raises:
            TrafficNotApplied: The cluster refused it or cannot be reached.
        """
        ...

    def policy_epochs(self) -> dict[str, list[int]] | None:
        """The policy epochs in force by endpoint, one entry a live gateway; None if nobody can tell."""
        ...


@dataclass
class MemoryTarget:
    """A cluster in memory: every application is up at once, unless it is told to fail.

    Attributes:
        puts: Every config that was asked for, in order.
        broken: Applications that fail to deploy, with Serve's message.
        replicas: Of every application that is up; None for as many as it asks for.
        asleep: Applications that run without a replica, whatever they ask for.
        on_put: Called before each put; raises to play a crash.
    """

    puts: list[ServeConfig] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    replicas: int | None = None
    asleep: set[str] = field(default_factory=set)
    on_put: Callable[[ServeConfig], None] = lambda config: None

    def state(self) -> ServeState:
        """What the last put asked for."""
        applications = self.puts[-1]["applications"] if self.puts else []
        return ServeState({config["name"]: self._application(config) for config in applications})

    def put(self, config: ServeConfig) -> None:
        """Take the config."""
        self.on_put(config)
        self.puts.append(config)

    def policy_epochs(self) -> dict[str, list[int]]:
        """Every gateway follows at once."""
        state = self.state()
        gateways = state.applications[GATEWAY].replicas if GATEWAY in state.applications else 0
        endpoints = (state.gateway_config or {}).get("endpoints", [])
        return {policy["endpoint"]: [policy["policy_epoch"]] * gateways for policy in endpoints}

    def _application(self, config: dict[str, Any]) -> ApplicationState:
        message = self.broken.get(config["name"], "")
        is_up = not message and config["name"] not in self.asleep
        replicas = (self.replicas or _wanted_replicas(config)) if is_up else 0
        return ApplicationState(DEPLOY_FAILED if message else RUNNING, not message, message, config, replicas)


def _wanted_replicas(config: dict[str, Any]) -> int:
    deployment = config["deployments"][0]
    least: int = deployment.get("autoscaling_config", {}).get("min_replicas", deployment.get("num_replicas", 1))
    return least
