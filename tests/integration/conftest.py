"""One local stack for the whole run: trained, served and stopped as a user does it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from load import Load

from ray_apps.settings import Settings

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "credit-risk"
UP_SECONDS = 420


@dataclass(frozen=True)
class Stack:
    """A running stack and how to reach it.

    Attributes:
        settings: Ports and directories, away from those of a stack that a developer may run.
        environment: Of every command on this stack.
        directory: For files of the tests.
    """

    settings: Settings
    environment: dict[str, str]
    directory: Path

    @property
    def api_url(self) -> str:
        return self.settings.api_url

    @property
    def predict_url(self) -> str:
        return f"{self.api_url}/api/v1/predict"

    def raygate(
        self, *arguments: str, timeout: float = 180, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line as a user does."""
        command = [str(Path(sys.executable).with_name("raygate")), *arguments]
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"raygate {' '.join(arguments)} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def predict(self, features: Any, **more: Any) -> httpx.Response:
        """Ask for one prediction."""
        headers = more.pop("headers", {})
        body = {"model_id": "credit-risk", "features": features, **more}
        return httpx.post(self.predict_url, json=body, headers=headers, timeout=30)

    def applications(self) -> dict[str, Any]:
        """What Serve runs."""
        url = f"{self.settings.dashboard_url}/api/serve/applications/"
        found: dict[str, Any] = httpx.get(url, timeout=30).json()["applications"]
        return found

    def replica_pids(self, application: str) -> list[int]:
        """Processes of an application's running replicas."""
        deployments = self.applications()[application]["deployments"].values()
        return [
            replica["pid"]
            for deployment in deployments
            for replica in deployment["replicas"]
            if replica["state"] == "RUNNING"
        ]


def free_port_block(size: int = 40) -> int:
    """The first of a block of free ports below those that the system hands out."""
    for base in range(20_000, 28_000, size):
        try:
            for port in range(base, base + size):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    raise RuntimeError("no block of free ports")


def stack_environment(state: Path, base: int, **more: str) -> dict[str, str]:
    """Settings of a stack of its own."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "RAYGATE_"))},
        "RAYGATE_STATE_DIRECTORY": str(state),
        "RAYGATE_HTTP_PORT": str(base),
        "RAYGATE_DASHBOARD_PORT": str(base + 1),
        "RAYGATE_RAY_PORT": str(base + 2),
        "RAYGATE_RAY_CLIENT_PORT": str(base + 3),
        "METRICS_PORT": str(base + 4),
        "RAYGATE_HAPROXY_METRICS_PORT": str(base + 5),
        "RAYGATE_HAPROXY_STATS_PORT": str(base + 6),
        "RAYGATE_MLFLOW_PORT": str(base + 7),
        "RAYGATE_REPLICA_PORT_BASE": str(base + 10_000),
        "COLUMNS": "200",
        **more,
    }


def settings_of(environment: dict[str, str]) -> Settings:
    """The settings that a command in this environment reads."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return Settings()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The credit-risk example with two gateways and two replicas of each pool."""
    directory = tmp_path_factory.mktemp("stack")
    endpoint = directory / "endpoint.yaml"
    text = (EXAMPLE / "endpoint.yaml").read_text()
    for role in ("stable", "candidate"):
        text = text.replace(f"role: {role}", f"role: {role}, scaling: {{minReplicas: 2}}")
    endpoint.write_text(text)
    environment = stack_environment(directory / "state", free_port_block(), RAYGATE_GATEWAY_REPLICAS="2")
    started = Stack(settings_of(environment), environment, directory)
    training = str(EXAMPLE / "training.yaml")
    try:
        arguments = ("-f", str(endpoint), "--train", training, "--detach", "--no-mlflow")
        started.raygate("up", *arguments, timeout=UP_SECONDS)
        yield started
    finally:
        started.raygate("down", check=False)


@pytest.fixture(scope="session")
def rows(stack: Stack) -> list[dict[str, Any]]:
    """Real rows of the example's data, as a caller sends them."""
    from deployments.contracts.model_version import ModelVersion
    from ray_apps.local.first_predictions import sample_rows

    return sample_rows(stack.settings.models, ModelVersion.parse("credit_risk_v1.0.0"), 50)


@pytest.fixture
def load(stack: Stack, rows: list[dict[str, Any]]) -> Callable[..., Load]:
    """Load on the predict route."""

    def make(**arguments: Any) -> Load:
        return Load(stack.predict_url, {"model_id": "credit-risk", "features": rows[0]}, **arguments)

    return make


@pytest.fixture
def split(stack: Stack) -> Iterator[Callable[..., None]]:
    """Change the split for one test; ninety to ten again after it."""

    def change(*weights: str) -> None:
        stack.raygate("traffic", "credit-risk", *weights)

    yield change
    change("1.0.0=90", "1.1.0=10")
