"""Open-loop load: requests leave at a constant rate, however slow the answers are.

A closed loop waits for a slow server and so leaves out the requests that users would have sent meanwhile. Here
each request has a time at which it ought to leave, and its latency counts from then on. It runs in a process of
its own (RAYGATE_BENCH_AUTHORIZATION: value of that header, or empty):

    python tests/performance/open_loop.py --url URL --bodies FILE --rate 500 --seconds 10
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from target import AUTHORIZATION_VARIABLE, Target

CONNECTIONS_AT_START, CONNECTIONS_AT_MOST = 64, 1000
LAST_ANSWERS_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """Figures of one run.

    Attributes:
        wanted_rate: Requests a second that were to leave.
        sent: Requests in all.
        achieved_rate: Good answers a second, until the last answer came.
        p50: Milliseconds from the intended time of sending to a good answer; p95, p99 and worst alike.
        latest_send: Milliseconds by which the generator itself was late at the worst.
        refused: Answers of 429 or 503 that say when to try again.
        refused_p50: Milliseconds until a refusal; refused_p99 alike. NaN where nothing was refused.
        errors: Other bad statuses, broken connections, and requests without an answer after ten seconds.
    """

    wanted_rate: float
    sent: int
    achieved_rate: float
    p50: float
    p95: float
    p99: float
    worst: float
    latest_send: float
    refused: int
    refused_p50: float
    refused_p99: float
    errors: int


def run(target: Target, bodies: Path, rate: float, seconds: float) -> OpenLoop:
    """Load a route from a process of its own."""
    command = [sys.executable, __file__, "--url", target.url, "--bodies", str(bodies)]
    command += ["--rate", str(rate), "--seconds", str(seconds)]
    environment = {**os.environ, **target.environment}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=seconds + 60
    )
    return OpenLoop(**json.loads(done.stdout))


class _Connection(asyncio.Protocol):
    """One keep-alive connection; at most one request at a time."""

    def __init__(self, generator: _Generator) -> None:
        self._generator = generator
        self._intended: float | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._generator.free(self)

    def send(self, request: bytes, intended: float) -> None:
        self._intended = intended
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            return
        self._received = b""
        intended, self._intended = self._intended, None
        self._generator.answered(intended, head)
        self._generator.free(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._generator.lost(self, was_busy=self._intended is not None)


def _is_refusal(head: bytes) -> bool:
    return head.startswith((b"HTTP/1.1 429", b"HTTP/1.1 503")) and b"\r\nretry-after:" in head.lower()


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


class _Generator:
    def __init__(self, host: str, port: int, requests: list[bytes]) -> None:
        self._host, self._port, self._requests = host, port, requests
        self._free: list[_Connection] = []
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._opening: set[asyncio.Task[object]] = set()
        self._connections = 0
        self.latencies: list[float] = []
        self.refusals: list[float] = []
        self.errors = 0
        self.latest_send = self.last_answer = 0.0

    async def run(self, rate: float, seconds: float) -> float:
        """Send everything, wait for the last answers, and return the seconds that it took."""
        for _ in range(CONNECTIONS_AT_START):
            self._open()
        await asyncio.gather(*self._opening)
        began, total = time.perf_counter(), int(rate * seconds)
        for number in range(total):
            intended = began + number / rate
            # The event loop wakes up to a millisecond late: what came due meanwhile leaves together, never early.
            if (wait := intended - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            elif number % 64 == 0:
                await asyncio.sleep(0)  # far behind: answers must still be read
            self._send(self._requests[number % len(self._requests)], intended)
        deadline = time.perf_counter() + LAST_ANSWERS_SECONDS
        # An event set by each answer would be in the figures.
        while self._answers + self.errors < total and time.perf_counter() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        self.errors = total - self._answers
        return max(seconds, self.last_answer - began)

    @property
    def _answers(self) -> int:
        return len(self.latencies) + len(self.refusals)

    def free(self, connection: _Connection) -> None:
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._free.append(connection)

    def lost(self, connection: _Connection, was_busy: bool) -> None:
        self._connections -= 1
        self.errors += was_busy
        if connection in self._free:
            self._free.remove(connection)

    def answered(self, intended: float | None, head: bytes) -> None:
        self.last_answer = time.perf_counter()
        if intended is not None and head.startswith(b"HTTP/1.1 200"):
            self.latencies.append(self.last_answer - intended)
        elif intended is not None and _is_refusal(head):
            self.refusals.append(self.last_answer - intended)
        else:
            self.errors += 1

    def _send(self, request: bytes, intended: float) -> None:
        self.latest_send = max(self.latest_send, time.perf_counter() - intended)
        if self._free:
            self._free.pop().send(request, intended)
            return
        self._waiting.append((request, intended))
        if self._connections < CONNECTIONS_AT_MOST:
            self._open()

    def _open(self) -> None:
        self._connections += 1
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.create_connection(lambda: _Connection(self), self._host, self._port))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)


def _requests(target: Target, bodies: Path) -> list[bytes]:
    parts = urlsplit(target.url)
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in target.headers.items())
    return [
        f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies.read_bytes().splitlines()
    ]


def _percentiles(seconds: list[float], *percents: float) -> list[float]:
    """In milliseconds; NaN of nothing."""
    return [float(value) * 1000 for value in np.percentile(seconds or [float("nan")], percents)]


async def _measure(target: Target, bodies: Path, rate: float, seconds: float) -> OpenLoop:
    parts = urlsplit(target.url)
    generator = _Generator(parts.hostname or "127.0.0.1", parts.port or 80, _requests(target, bodies))
    took = await generator.run(rate, seconds)
    p50, p95, p99, worst = _percentiles(generator.latencies, 50, 95, 99, 100)
    refused_p50, refused_p99 = _percentiles(generator.refusals, 50, 99)
    return OpenLoop(
        wanted_rate=rate,
        sent=len(generator.latencies) + len(generator.refusals) + generator.errors,
        achieved_rate=len(generator.latencies) / took,
        p50=p50,
        p95=p95,
        p99=p99,
        worst=worst,
        latest_send=generator.latest_send * 1000,
        refused=len(generator.refusals),
        refused_p50=refused_p50,
        refused_p99=refused_p99,
        errors=generator.errors,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--bodies", type=Path, required=True, help="one JSON document a line")
    parser.add_argument("--rate", type=float, required=True, help="requests a second")
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    target = Target(arguments.url, os.environ.get(AUTHORIZATION_VARIABLE, ""))
    measured = asyncio.run(_measure(target, arguments.bodies, arguments.rate, arguments.seconds))
    print(json.dumps(asdict(measured)))


if __name__ == "__main__":
    main()
