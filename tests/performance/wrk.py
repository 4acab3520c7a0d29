"""Closed-loop load with ``wrk``: every connection sends its next request when the last one is answered."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from target import Target

from deployments.contracts.errors import RaygateError

SCRIPT = Path(__file__).with_name("http_body.lua")
ANSWER_SECONDS = 10


class WrkUnavailable(RaygateError):
    """There is no ``wrk`` on this machine."""

    def __str__(self) -> str:
        return (
            "the benchmark needs wrk, which is not on PATH: install Debian's package `wrk` (apt-get install wrk)"
        )


class WrkFailed(RaygateError):
    """wrk ended without figures."""

    def __init__(self, url: str, said: str) -> None:
        super().__init__(url, said)
        self.url, self.said = url, said

    def __str__(self) -> str:
        return f"wrk on {self.url} gave no figures: {self.said}"


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """Figures of one run.

    Attributes:
        requests: Answered, with whatever status.
        rate: Good answers a second.
        p50: Latency in milliseconds; p95 and p99 alike. After wrk's own correction, which adds to the tail what
            an answer slower than twice the mean would have hidden.
        bad_status: Answers of 400 and above.
        socket_errors: Connections refused or broken, and answers later than ``ANSWER_SECONDS``.
    """

    requests: int
    rate: float
    p50: float
    p95: float
    p99: float
    bad_status: int
    socket_errors: int


def version() -> str:
    """What wrk calls itself.

    Raises:
        WrkUnavailable: It is not installed.
    """
    if shutil.which("wrk") is None:
        raise WrkUnavailable
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)  # exits 1
    return said.stdout.split("[")[0].strip()


def run(target: Target, bodies: Path, connections: int, seconds: int) -> ClosedLoop:
    """Load a route.

    Args:
        target: The route.
        bodies: One JSON document a line, posted in turn.
        connections: Kept alive; requests under way at a time.
        seconds: How long.

    Raises:
        WrkFailed: It printed no figures.
    """
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    command += ["--timeout", f"{ANSWER_SECONDS}s", "--script", str(SCRIPT), target.url, "--", str(bodies)]
    environment = {**os.environ, **target.environment}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=seconds + 60
    )
    return parse(done.stdout, target.url, done.stderr)


def parse(output: str, url: str = "", complaint: str = "") -> ClosedLoop:
    """Read the line that the script printed.

    Raises:
        WrkFailed: There is none.
    """
    line = next((line for line in output.splitlines() if line.startswith('{"requests"')), None)
    if line is None:
        raise WrkFailed(url, (complaint or output).strip()[-500:])
    said = json.loads(line)
    return ClosedLoop(
        requests=said["requests"],
        rate=(said["requests"] - said["bad_status"]) / (said["microseconds"] / 1e6),
        p50=said["p50"] / 1000,
        p95=said["p95"] / 1000,
        p99=said["p99"] / 1000,
        bad_status=said["bad_status"],
        socket_errors=said["socket_errors"],
    )
