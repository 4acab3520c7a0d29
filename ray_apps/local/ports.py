"""Ports that the stack needs, and who holds them."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from deployments.contracts.errors import PortInUse, RaygateError
from ray_apps.local.processes import describe, stack_of
from ray_apps.settings import Settings

_EVERY_ADDRESS = "0.0.0.0"


class PortsInUse(RaygateError):
    """Some of the ports that the stack needs cannot be had; all of them at once."""

    def __init__(self, ports: tuple[PortInUse, ...]) -> None:
        super().__init__(ports)
        self.ports = ports

    def __str__(self) -> str:
        return "\n".join(str(port) for port in self.ports)


@dataclass(frozen=True, slots=True)
class NeededPort:
    """A port that something of the stack will listen on.

    Attributes:
        number: TCP port.
        purpose: For people, such as ``API``.
        setting: Environment variable that moves it.
        address: Address that will be bound.
    """

    number: int
    purpose: str
    setting: str
    address: str = _EVERY_ADDRESS


def needed_ports(settings: Settings, with_mlflow: bool) -> tuple[NeededPort, ...]:
    """Every fixed port of a stack. Replicas and Ray's workers take free ones."""
    ports = [
        NeededPort(settings.http_port, "API", "RAYGATE_HTTP_PORT", settings.host or _EVERY_ADDRESS),
        NeededPort(settings.dashboard_port, "Ray dashboard", "RAYGATE_DASHBOARD_PORT", "127.0.0.1"),
        NeededPort(settings.ray_port, "Ray GCS", "RAYGATE_RAY_PORT"),
        NeededPort(settings.ray_client_port, "Ray client server", "RAYGATE_RAY_CLIENT_PORT"),
        NeededPort(settings.metrics_port, "metrics", "METRICS_PORT"),
        NeededPort(settings.control_port, "controller", "RAYGATE_CONTROL_PORT", "127.0.0.1"),
        NeededPort(settings.haproxy_metrics_port, "HAProxy metrics", "RAYGATE_HAPROXY_METRICS_PORT"),
        NeededPort(settings.haproxy_stats_port, "HAProxy statistics", "RAYGATE_HAPROXY_STATS_PORT"),
    ]
    if settings.tls_certificate:
        tls = NeededPort(settings.https_port, "API over TLS", "RAYGATE_HTTPS_PORT", settings.https_host)
        ports.append(tls)
    mlflow = NeededPort(settings.mlflow_port, "MLflow", "RAYGATE_MLFLOW_PORT", "127.0.0.1")
    return (*ports, mlflow) if with_mlflow else tuple(ports)


def check_free(ports: Iterable[NeededPort], replica_ports: range = range(0)) -> None:
    """Make sure that every port can be bound.

    Args:
        ports: What is needed.
        replica_ports: Where Serve will look for free ports: it would take a needed one whose owner starts late.

    Raises:
        PortsInUse: Some cannot: each with its holder and the setting that moves it.
    """
    needed = tuple(ports)
    problems = [
        *_wanted_twice(needed, replica_ports),
        *(problem for port in needed if (problem := _problem(port))),
    ]
    if problems:
        raise PortsInUse(tuple(problems))


def _wanted_twice(ports: tuple[NeededPort, ...], replica_ports: range) -> list[PortInUse]:
    owners: dict[int, str] = {}
    problems = []
    for port in ports:
        owner = "replicas (from RAYGATE_REPLICA_PORT_BASE on)" if port.number in replica_ports else None
        if owner := owner or owners.get(port.number):
            problems.append(PortInUse(port.number, port.purpose, f"the stack's own {owner}; {_elsewhere(port)}"))
        owners.setdefault(port.number, port.purpose)
    return problems


def _problem(port: NeededPort) -> PortInUse | None:
    refusal = _refusal(port)
    if refusal is None:
        return None
    if refusal.errno != errno.EADDRINUSE:
        return PortInUse(port.number, port.purpose, f"the system ({refusal.strerror}); {_elsewhere(port)}")
    holder = _holder(port.number)
    if holder is None and _refusal(port) is None:
        # It ended between the two looks.
        return None
    return PortInUse(port.number, port.purpose, f"{_who(port.number, holder)}; {_elsewhere(port)}")


def _refusal(port: NeededPort) -> OSError | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As a server would: a connection of the last run in TIME_WAIT is no holder.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.address, port.number))
        except OSError as error:
            return error
    return None


def _elsewhere(port: NeededPort) -> str:
    return f"{port.setting} moves it"


def _who(number: int, holder: psutil.Process | None) -> str:
    if holder is None:
        return _unseen(number)
    if stack_of(holder) is None:
        return describe(holder)
    directory = holder.environ().get("RAYGATE_STATE_DIRECTORY", "unknown")
    return f"{describe(holder)}, started by an earlier raygate with state directory {directory}"


def _unseen(number: int) -> str:
    with contextlib.suppress(psutil.Error):
        ends = [one for one in psutil.net_connections(kind="tcp") if one.laddr and one.laddr.port == number]
        if ends and all(one.status == psutil.CONN_TIME_WAIT for one in ends):
            return "closed connections of a process that has ended (the system lets go of them within a minute)"
    return "a process that we may not see, so another user's (`sudo ss -ltnp` shows it)"


def _holder(number: int) -> psutil.Process | None:
    """The process that listens on a port, else one that has it as its end of a connection, if it may be seen.

    Asked process by process, because the list of all sockets needs root on some systems.
    """
    connected = None
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            for connection in process.net_connections(kind="tcp"):
                if connection.laddr and connection.laddr.port == number:
                    if connection.status == psutil.CONN_LISTEN:
                        return process
                    connected = connected or process
    return connected
