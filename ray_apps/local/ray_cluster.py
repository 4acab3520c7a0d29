"""Ray as a process of our own.

Never ``ray stop``: it stops every Ray of the machine.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import httpx

from deployments.contracts.errors import RaygateError
from ray_apps.local.places import Places
from ray_apps.local.processes import start_child, tail
from ray_apps.local.ray_environment import stack_environment
from ray_apps.settings import Settings

# The reference samples and predictions of one machine are small, and Ray would take 30 % of the memory.
_OBJECT_STORE_BYTES = 512 * 1024**2


class ProcessFailed(RaygateError):
    """A process of the stack ended, or did not become ready in time."""

    def __init__(self, what: str, reason: str, log: str, log_tail: str) -> None:
        super().__init__(what, reason, log, log_tail)
        self.what, self.reason, self.log, self.log_tail = what, reason, log, log_tail

    def __str__(self) -> str:
        return f"{self.what} {self.reason}; the end of {self.log}:\n{self.log_tail or '(empty)'}"


def ray_command(settings: Settings) -> list[str]:
    """The command that starts Ray in the foreground, with every port that would otherwise be a fixed one."""
    return [
        program("ray"),
        "start",
        "--head",
        "--block",
        f"--port={settings.ray_port}",
        f"--ray-client-server-port={settings.ray_client_port}",
        "--include-dashboard=true",
        "--dashboard-host=127.0.0.1",
        f"--dashboard-port={settings.dashboard_port}",
        # 0 means a free port: the defaults are the same for every Ray of a machine.
        "--dashboard-agent-listen-port=0",
        "--min-worker-port=0",
        "--max-worker-port=0",
        f"--object-store-memory={_OBJECT_STORE_BYTES}",
        f"--temp-dir={Places(settings.state).ray_sessions}",
        "--disable-usage-stats",
        "--log-color=false",
        # One node does not scale, and workers' prints are in their logs: two Python processes less to wait for.
        "--no-monitor",
        "--include-log-monitor=false",
    ]


def start_ray(settings: Settings) -> subprocess.Popen[bytes]:
    """Start Ray and return at once."""
    places = Places(settings.state)
    return start_child(ray_command(settings), stack_environment(settings), places.log("ray"))


def wait_for_ray(settings: Settings, ray: subprocess.Popen[bytes], timeout_s: float = 120.0) -> None:
    """Wait until the dashboard's Serve API answers: then nodes, dashboard and its driver are there.

    Raises:
        ProcessFailed: Ray ended, or does not answer in time.
    """
    log = Places(settings.state).log("ray")
    deadline = time.monotonic() + timeout_s
    # One client for all questions: making one costs more than asking.
    with httpx.Client(base_url=settings.dashboard_url, timeout=10.0) as client:
        while time.monotonic() < deadline:
            if ray.poll() is not None:
                raise failure("Ray", f"ended with exit code {ray.returncode}", log)
            if _answers(client):
                return
            time.sleep(0.1)
    raise failure("Ray", f"did not answer at {settings.dashboard_url} within {timeout_s:g} s", log)


def dashboard_answers(dashboard_url: str, timeout_s: float) -> bool:
    """Whether the Serve API of a dashboard answers."""
    with httpx.Client(base_url=dashboard_url, timeout=timeout_s) as client:
        return _answers(client)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/api/serve/applications/").is_success
    except httpx.HTTPError:
        return False


def program(name: str) -> str:
    """Path of a program that was installed beside this Python, whatever PATH says."""
    return str(Path(sys.executable).parent / name)


def failure(what: str, reason: str, log: Path) -> ProcessFailed:
    """An error with the end of the log."""
    return ProcessFailed(what, reason, str(log), tail(log))
