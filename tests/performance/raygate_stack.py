"""The stack as a user starts it, away from the usual ports and from a developer's own settings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import contenders
import endpoint_files
from contenders import STATE, Contender, NotStarted
from target import Target

from deployments.access.policy import Mode
from ray_apps.local import local_key
from ray_apps.local.places import Places
from ray_apps.local.processes import stack_processes
from ray_apps.settings import Settings

PORTS = ("HTTP", "DASHBOARD", "RAY", "RAY_CLIENT", "HAPROXY_METRICS", "HAPROXY_STATS", "MLFLOW", "CONTROL")
PORT_BLOCK = 20


@dataclass(frozen=True)
class Stack:
    """A stack that is up.

    Attributes:
        settings: Its own.
        environment: Of commands on it.
    """

    settings: Settings
    environment: Mapping[str, str]

    def contender(self, name: str) -> Contender:
        """The stack under a name, with the local key as the credential."""
        identity = Places(self.settings.state).identity
        authorization = f"Bearer {local_key.read(self.settings.key_file)}"
        target = Target(f"{self.settings.api_url}/api/v1/predict", authorization)
        return Contender(name, target, target, lambda: stack_processes(identity))

    def apply(self, endpoint: Path, access: Mode = Mode.KEYS) -> None:
        """Bring an endpoint file in force; another access than before restarts the gateway.

        Raises:
            NotStarted: It was not taken.
        """
        environment = {**self.environment, "RAYGATE_ACCESS": access.value}
        _raygate(environment, "apply", "-f", str(endpoint))


@contextmanager
def running() -> Iterator[Stack]:
    """The credit-risk example behind its 90/10 split, trained at the first time, stopped at the end.

    Authentication, validation, metrics, monitor and prediction log are on, as they are by default.

    Raises:
        NotStarted: It does not come up.
    """
    base = contenders.free_ports(PORT_BLOCK)
    settings = Settings(state_directory=STATE, http_port=base, MODEL_PATH=None)
    environment = _environment(base)
    endpoint, training = endpoint_files.endpoint(STATE), endpoint_files.training(STATE)
    try:
        _raygate(environment, "up", "-f", str(endpoint), "--train", str(training), "--detach", "--no-mlflow")
        yield Stack(settings, environment)
    finally:
        _raygate(environment, "down")


def _environment(base: int) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "RAYGATE_", "MLFLOW_"))}
    inherited.pop("MODEL_PATH", None)
    return {
        **inherited,
        **{f"RAYGATE_{port}_PORT": str(base + offset) for offset, port in enumerate(PORTS)},
        "METRICS_PORT": str(base + len(PORTS)),
        "RAYGATE_REPLICA_PORT_BASE": str(base + 10_000),
        "RAYGATE_STATE_DIRECTORY": str(STATE),
    }


def _raygate(environment: Mapping[str, str], *arguments: str) -> None:
    command = [str(Path(sys.executable).with_name("raygate")), *arguments]
    done = subprocess.run(
        command, env=environment, cwd=contenders.REPOSITORY, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise NotStarted(f"raygate {arguments[0]}", (done.stdout + done.stderr)[-2000:])
