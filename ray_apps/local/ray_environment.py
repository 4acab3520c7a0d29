"""Environment of the local stack's processes."""

from __future__ import annotations

import json
import os

from deployments.rollout.ray_environment import SHARED_RAY_ENVIRONMENT
from ray_apps.local.places import Places
from ray_apps.settings import Settings

STACK_VARIABLE = "RAYGATE_STACK"
"""Carried by every process of a stack and inherited by what it starts: how leftovers are recognised."""

# A stack's replicas have a thousand ports, most of them for HTTP. A freed port rests for 150 s before Serve
# gives it to another replica, so the range must hold all replicas of a few rollouts.
_HTTP_PORTS, _GRPC_PORTS = 800, 200
_NOT_INHERITED = frozenset({"RAY_ADDRESS", "RAYGATE_API_KEY"})


def ray_environment(settings: Settings) -> dict[str, str]:
    """Variables that ``ray start`` needs on one machine, beside another Ray with other ports.

    Everything that Ray would put at a fixed place of the machine (ports and sockets of HAProxy, ports of replicas)
    gets a place of this stack.
    """
    haproxy = Places(settings.state).haproxy
    replicas = replica_ports(settings)
    http, grpc = replicas[:_HTTP_PORTS], replicas[_HTTP_PORTS:]
    return {
        **SHARED_RAY_ENVIRONMENT,
        # One person's machine; set all the same, because `serve run` may have left a token that turns it on.
        "RAY_AUTH_MODE": "disabled",
        # No load balancer in front has to notice: 30 s of draining would be 30 s of Ctrl-C.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(haproxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(haproxy / "admin.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(haproxy / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(haproxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(haproxy / "server-state"),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(settings.haproxy_metrics_port),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(settings.haproxy_stats_port),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(http[0]),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(http[-1]),
        "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": str(grpc[0]),
        "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": str(grpc[-1]),
        # Ray's own exporters: a free port instead of a fixed one.
        "AUTOSCALER_METRIC_PORT": "0",
        "DASHBOARD_METRIC_PORT": "0",
    }


def replica_ports(settings: Settings) -> range:
    """Ports that Serve may give to replicas."""
    return range(settings.replica_port_base, settings.replica_port_base + _HTTP_PORTS + _GRPC_PORTS)


def settings_environment(settings: Settings) -> dict[str, str]:
    """The settings as variables, so that a process of the stack reads the same ones in any working directory.

    The caller's own key is not among them: the stack does not need it, and processes show their environment.
    """
    variables = {}
    plain = settings.model_dump(mode="json", exclude={"api_key"}, exclude_none=True)
    for name, value in plain.items():
        variable = str(type(settings).model_fields[name].validation_alias or f"RAYGATE_{name.upper()}")
        variables[variable] = value if isinstance(value, str) else json.dumps(value)
    variables["RAYGATE_STATE_DIRECTORY"] = str(settings.state)
    return variables


def stack_environment(settings: Settings) -> dict[str, str]:
    """The whole environment of a process of the stack: the caller's, Ray's, the settings and the stack's mark."""
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    # Ray would look for it on 9090, where the monitor exposes its figures.
    prometheus = {"RAY_PROMETHEUS_HOST": settings.query_url} if settings.query_url else {}
    mark = {STACK_VARIABLE: Places(settings.state).identity}
    return {**prometheus, **inherited, **ray_environment(settings), **settings_environment(settings), **mark}
