"""What Ray Serve is to run: the one place that writes a Serve config, for the laptop and for Kubernetes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deployments.contracts.endpoint import Resources, Scaling
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.traffic_policy import Documents, GatewayConfig
from deployments.gateway.arguments import GatewayArguments

GATEWAY = "raygate-gateway"
MONITOR = "raygate-monitor"
MONITOR_ROUTE = "/monitor"
ServeConfig = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pool:
    """One version's pool.

    Attributes:
        name: Names the application.
        package_directory: Where the package lies, as the replicas see it.
        digest: Of the package.
        documents: Transformers that its replicas load; they do not restart for others.
        floor: Replicas that it must have by now, whatever fewer its owner lets it have.
        trusted_keys: Reference of the keys that may have signed the package, as the replicas see them; None asks
            for no signature. A reference, not the keys: rotating them restarts no replica.
    """

    name: ModelVersion
    package_directory: str
    digest: str
    scaling: Scaling
    resources: Resources
    documents: Documents | None = None
    floor: int = 0
    trusted_keys: str | None = None

    @property
    def least_replicas(self) -> int:
        """Replicas at the least; never over the owner's own upper bound."""
        return min(self.scaling.max_replicas, max(self.scaling.min_replicas, self.floor))


@dataclass(frozen=True, slots=True)
class Platform:
    """What differs between a laptop and a cluster.

    Attributes:
        environment: Value of the ``environment`` label of every metric.
        gateway: What each gateway is started with.
        host: Address of the HTTP listener.
        http_port: Its port.
        proxy_location: ``HeadOnly`` on one machine, ``EveryNode`` on a cluster.
        metrics_host: Address of the monitor's port.
        metrics_port: Prometheus text.
        push_gateway: Base URL of a push gateway, or empty.
        gateway_replicas: Replicas of the ingress.
        gateway_cpus: Ray CPUs of each.
        monitoring: What the monitor is told of drift and limits, where that is not its default.
    """

    environment: str
    gateway: GatewayArguments
    host: str = "127.0.0.1"
    http_port: int = 8000
    proxy_location: str = "HeadOnly"
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 9090
    push_gateway: str = ""
    gateway_replicas: int = 1
    gateway_cpus: float = 0.1
    monitoring: Mapping[str, Any] = field(default_factory=dict)


def build(platform: Platform, pools: Iterable[Pool], gateway: GatewayConfig) -> ServeConfig:
    """The complete Serve config. A PUT of it is total: an application that is not in it is deleted."""
    return {
        "proxy_location": platform.proxy_location,
        "http_options": {"host": platform.host, "port": platform.http_port},
        "logging_config": {"encoding": "JSON", "enable_access_log": False, "log_level": "WARNING"},
        "applications": [
            _monitor(platform),
            *(_pool(pool) for pool in sorted(pools, key=lambda pool: pool.name)),
            _gateway(platform, gateway),
        ],
    }


def pool_names(config: ServeConfig) -> set[str]:
    """Applications of a config that are version pools."""
    return {application["name"] for application in config["applications"]} - {GATEWAY, MONITOR}


def with_more_pools(config: ServeConfig, applications: Iterable[dict[str, Any]]) -> ServeConfig:
    """The config with applications that it does not name yet: pools that must live until nobody is sent there."""
    named = {application["name"] for application in config["applications"]}
    kept = [application for application in applications if application["name"] not in named]
    return {**config, "applications": [*config["applications"], *kept]}


def with_gateway_config(config: ServeConfig, user_config: dict[str, Any]) -> ServeConfig:
    """The config with another ``user_config`` of the gateway."""
    applications = []
    for application in config["applications"]:
        if application["name"] == GATEWAY:
            deployment = {**application["deployments"][0], "user_config": user_config}
            application = {**application, "deployments": [deployment]}
        applications.append(application)
    return {**config, "applications": applications}


def _pool(pool: Pool) -> dict[str, Any]:
    actor: dict[str, Any] = {"num_cpus": pool.resources.cpus}
    if pool.resources.memory_bytes:
        actor["memory"] = pool.resources.memory_bytes
    deployment: dict[str, Any] = {
        "name": "VersionPool",
        "max_ongoing_requests": 64,
        # Without surge an update stops old replicas first: a pool of one would answer nobody meanwhile.
        "max_surge_percent": 100,
        "health_check_period_s": 5,
        "health_check_timeout_s": 10,
        "graceful_shutdown_timeout_s": 15,
        "graceful_shutdown_wait_loop_s": 0.5,
        "ray_actor_options": actor,
        "user_config": _pool_config(pool),
        **_replicas(pool),
    }
    return {
        "name": str(pool.name),
        "route_prefix": None,  # reached by gateways only
        "import_path": "ray_apps.version_pool:build",
        "args": {
            "package_directory": pool.package_directory,
            "digest": pool.digest,
            **({} if pool.trusted_keys is None else {"trusted_keys": pool.trusted_keys}),
        },
        "deployments": [deployment],
    }


def _pool_config(pool: Pool) -> dict[str, Any]:
    config: dict[str, Any] = {"target_utilisation": pool.scaling.target_utilisation}
    if pool.documents is not None:
        config["transformers"] = pool.documents.model_dump(mode="json", include={"pre", "post"})
    return config


def _replicas(pool: Pool) -> dict[str, Any]:
    scaling = pool.scaling
    if scaling.min_replicas == scaling.max_replicas:
        return {"num_replicas": scaling.min_replicas}
    sleeps_after = scaling.sleeps_after
    # Where the floor leaves one size only, too: a pool that loses its policy and gets it back restarts twice.
    return {
        "autoscaling_config": {
            "min_replicas": pool.least_replicas,
            "max_replicas": scaling.max_replicas,
            "upscale_delay_s": 5,
            "downscale_delay_s": 120,
            **({} if sleeps_after is None else {"downscale_to_zero_delay_s": sleeps_after.total_seconds()}),
            "metrics_interval_s": 1,
            "look_back_period_s": 5,
            "policy": {"policy_function": "deployments.pool_scaling:desired_replicas"},
        }
    }


def _gateway(platform: Platform, gateway: GatewayConfig) -> dict[str, Any]:
    return {
        "name": GATEWAY,
        "route_prefix": "/",
        "import_path": "ray_apps.gateway:build",
        "args": platform.gateway.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "deployments": [
            {
                "name": "Gateway",
                "num_replicas": platform.gateway_replicas,
                # Requests that wait are cheap and bounded by each endpoint's own limits.
                "max_ongoing_requests": 10_000,
                "max_surge_percent": 100,
                "health_check_period_s": 5,
                "health_check_timeout_s": 10,
                "graceful_shutdown_timeout_s": 15,
                "graceful_shutdown_wait_loop_s": 0.5,
                "ray_actor_options": {"num_cpus": platform.gateway_cpus},
                "user_config": gateway.model_copy(update={"gateways": platform.gateway_replicas}).model_dump(
                    mode="json", by_alias=True
                ),
            }
        ],
    }


def _monitor(platform: Platform) -> dict[str, Any]:
    return {
        "name": MONITOR,
        "route_prefix": MONITOR_ROUTE,
        "import_path": "ray_apps.monitor:build",
        "args": {
            "metrics_port": platform.metrics_port,
            "environment": platform.environment,
            "host": platform.metrics_host,
            "request_log": platform.gateway.request_log,
            **({"push_gateway": platform.push_gateway} if platform.push_gateway else {}),
            **({"monitoring": dict(platform.monitoring)} if platform.monitoring else {}),
            "access": platform.gateway.access.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        },
        # No surge: two replicas would want the same port.
        "deployments": [{"name": "Monitor", "ray_actor_options": {"num_cpus": 0.1}}],
    }
