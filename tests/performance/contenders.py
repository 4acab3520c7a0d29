"""What is measured: the stack as a user starts it, and plain FastAPI servers; each ends with its block."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import plain_server
import process_tree
import psutil

from deployments.contracts.errors import RaygateError
from ray_apps.local.places import Places
from ray_apps.local.processes import stack_processes
from ray_apps.settings import Settings

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "credit-risk"
STATE = REPOSITORY / ".raygate" / "bench"
MODEL, STABLE, ENDPOINT = "credit_risk", "1.0.0", "credit-risk"
START_SECONDS = 60


class NotStarted(RaygateError):
    """A contender does not answer."""

    def __init__(self, name: str, said: str) -> None:
        super().__init__(name, said)
        self.name, self.said = name, said

    def __str__(self) -> str:
        return f"{self.name} does not answer: {self.said}"


@dataclass(frozen=True)
class Contender:
    """A server under load.

    Attributes:
        name: In tables.
        url: Of its predict route.
        processes: All that work for it, at the moment of the call.
    """

    name: str
    url: str
    processes: Callable[[], list[psutil.Process]]


@contextmanager
def stack(name: str, gateways: int = 1, replicas: int = 1) -> Iterator[Contender]:
    """The credit-risk example behind its 90/10 split, trained at the first time, stopped at the end."""
    base = _free_port_block()
    settings = Settings(state_directory=STATE, http_port=base, MODEL_PATH=None)
    environment = _environment(base, gateways)
    STATE.mkdir(parents=True, exist_ok=True)
    endpoint = STATE / f"endpoint-{replicas}.yaml"
    text = (EXAMPLE / "endpoint.yaml").read_text(encoding="utf-8")
    for role in ("stable", "candidate"):
        text = text.replace(f"role: {role}", f"role: {role}, scaling: {{minReplicas: {replicas}}}")
    endpoint.write_text(text, encoding="utf-8")
    training = str(EXAMPLE / "training.yaml")
    identity = Places(settings.state).identity
    try:
        _raygate(environment, "up", "-f", str(endpoint), "--train", training, "--detach", "--no-mlflow")
        yield Contender(name, f"{settings.api_url}/api/v1/predict", lambda: stack_processes(identity))
    finally:
        _raygate(environment, "down")


@contextmanager
def plain(name: str, model: str, workers: int) -> Iterator[Contender]:
    """A uvicorn server of ``plain_server``.

    Args:
        name: In tables.
        model: ``plain_server.COMPILED`` or ``plain_server.PIPELINE``.
        workers: Processes.
    """
    port = _free_port_block(1)
    package = STATE / "models" / MODEL / f"v{STABLE}"
    environment = {
        **os.environ,
        plain_server.PACKAGE_VARIABLE: str(package),
        plain_server.MODEL_VARIABLE: model,
    }
    command = [sys.executable, "-m", "uvicorn", "--factory", "plain_server:build"]
    command += ["--app-dir", str(Path(__file__).parent)]
    command += ["--port", str(port), "--workers", str(workers), "--no-access-log"]
    log = STATE / f"plain-{model}-{workers}.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, env=environment, cwd=REPOSITORY, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_for_workers(name, workers, server, log)
        yield Contender(name, f"http://127.0.0.1:{port}/api/v1/predict", lambda: process_tree.family(server.pid))
    finally:
        _end(server)


def sample_bodies(count: int) -> list[dict[str, Any]]:
    """Predict requests of real rows, one row each; the stack must have been up once, for it trains."""
    from deployments.contracts.model_version import ModelVersion
    from ray_apps.local.first_predictions import sample_rows

    rows = sample_rows(STATE / "models", ModelVersion.parse(f"{MODEL}_v1.0.0"), count)
    return [{"model_id": ENDPOINT, "features": row} for row in rows]


def check_answers(contender: Contender, bodies: list[dict[str, Any]]) -> None:
    """Every body is answered, so that no error is measured as speed.

    Raises:
        NotStarted: One is not.
    """
    with httpx.Client(timeout=30) as client:
        for body in bodies:
            answer = client.post(contender.url, json=body)
            if answer.status_code != 200 or "probability" not in answer.json():
                raise NotStarted(contender.name, f"{answer.status_code} {answer.text[:300]} for {body}")


def _environment(base: int, gateways: int) -> dict[str, str]:
    """Of commands on the stack: nothing of a developer's own, ports away from the usual ones."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "RAYGATE_", "MLFLOW_"))}
    inherited.pop("MODEL_PATH", None)
    ports = ("HTTP", "DASHBOARD", "RAY", "RAY_CLIENT", "HAPROXY_METRICS", "HAPROXY_STATS", "MLFLOW")
    return {
        **inherited,
        **{f"RAYGATE_{port}_PORT": str(base + offset) for offset, port in enumerate(ports)},
        "METRICS_PORT": str(base + len(ports)),
        "RAYGATE_REPLICA_PORT_BASE": str(base + 10_000),
        "RAYGATE_STATE_DIRECTORY": str(STATE),
        "RAYGATE_GATEWAY_REPLICAS": str(gateways),
    }


def _raygate(environment: dict[str, str], *arguments: str) -> None:
    command = [str(Path(sys.executable).with_name("raygate")), *arguments]
    done = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotStarted(f"raygate {arguments[0]}", (done.stdout + done.stderr)[-2000:])


def _free_port_block(size: int = 20) -> int:
    for base in range(23_000, 29_000, size):
        try:
            for port in range(base, base + size):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    raise NotStarted("the benchmark", f"no {size} ports in a row are free between 23000 and 29000")


def _wait_for_workers(name: str, workers: int, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for every worker: the first one listens while the others still load."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        if log.read_text(errors="replace").count("Application startup complete") >= workers:
            return
        time.sleep(0.2)
    raise NotStarted(name, log.read_text(errors="replace")[-1000:] or "it says nothing")


def _end(server: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
