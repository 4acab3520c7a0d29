"""What is measured, and uvicorn servers among it; the stack itself is in ``raygate_stack``."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import plain_server
import process_tree
import psutil
from target import Target

from deployments.contracts.errors import RaygateError
from deployments.contracts.model_version import ModelVersion

REPOSITORY = Path(__file__).parents[2]
STATE = REPOSITORY / ".raygate" / "bench"
STABLE, ENDPOINT = ModelVersion.parse("credit_risk_v1.0.0"), "credit-risk"
DIFFERENT_BODIES = 50
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
        row: The route that takes one row.
        rows: The route that takes a list of rows.
        processes: All that work for it, at the moment of the call.
    """

    name: str
    row: Target
    rows: Target
    processes: Callable[[], list[psutil.Process]]

    def target(self, rows: int) -> Target:
        """The route for requests of so many rows."""
        return self.row if rows == 1 else self.rows


def plain(name: str, model: str, workers: int) -> AbstractContextManager[Contender]:
    """A server of ``plain_server``.

    Args:
        name: In tables.
        model: ``plain_server.COMPILED`` or ``plain_server.PIPELINE``.
        workers: Processes.
    """
    package = STATE / "models" / STABLE.model / f"v{STABLE.version}"
    environment = {plain_server.PACKAGE_VARIABLE: str(package), plain_server.MODEL_VARIABLE: model}
    return uvicorn(name, "plain_server:build", environment, workers)


@contextmanager
def uvicorn(
    name: str, factory: str, environment: Mapping[str, str] | None = None, workers: int = 1
) -> Iterator[Contender]:
    """A uvicorn server of a factory in this folder; ends with its block.

    Args:
        name: In tables.
        factory: ``module:function``.
        environment: Added to ours.
        workers: Processes.
    """
    port = free_ports(1)
    command = [sys.executable, "-m", "uvicorn", "--factory", factory, "--app-dir", str(Path(__file__).parent)]
    command += ["--port", str(port), "--workers", str(workers), "--no-access-log"]
    STATE.mkdir(parents=True, exist_ok=True)
    log = STATE / f"uvicorn-{port}.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            cwd=REPOSITORY,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_for_workers(name, workers, server, log)
        url = f"http://127.0.0.1:{port}/api/v1/predict"
        yield Contender(name, Target(url), Target(f"{url}/rows"), lambda: process_tree.family(server.pid))
    finally:
        _end(server)
        log.unlink()


@cache
def bodies(rows: int) -> Path:
    """A file of predict requests of real rows, one a line; the stack must have been up once, for it trains.

    Args:
        rows: Of each request.
    """
    from ray_apps.local.first_predictions import sample_rows

    file = STATE / f"bodies-{rows}.jsonl"
    found = sample_rows(STATE / "models", STABLE, DIFFERENT_BODIES * rows)
    features: list[Any] = found[:DIFFERENT_BODIES]
    if rows > 1:
        features = [
            [found[(start + row) % len(found)] for row in range(rows)] for start in range(DIFFERENT_BODIES)
        ]
    documents = ({"model_id": ENDPOINT, "features": one} for one in features)
    file.write_text("".join(f"{json.dumps(document)}\n" for document in documents), encoding="utf-8")
    return file


def check_answers(contender: Contender, rows: int) -> None:
    """Every body is answered, so that no error is measured as speed.

    Raises:
        NotStarted: One is not.
    """
    target = contender.target(rows)
    headers = {"content-type": "application/json", **target.headers}
    with httpx.Client(timeout=30, headers=headers) as client:
        for body in bodies(rows).read_bytes().splitlines():
            answer = client.post(target.url, content=body)
            answered = answer.json().get("predictions", [answer.json()]) if answer.status_code == 200 else []
            if len(answered) != rows or any("probability" not in one for one in answered):
                raise NotStarted(contender.name, f"{answer.status_code} {answer.text[:300]} for {body[:300]!r}")


def free_ports(count: int) -> int:
    """The first of so many free ports in a row.

    Raises:
        NotStarted: There are none.
    """
    for base in range(23_000, 29_000, count):
        try:
            for port in range(base, base + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    raise NotStarted("the benchmark", f"no {count} ports in a row are free between 23000 and 29000")


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
