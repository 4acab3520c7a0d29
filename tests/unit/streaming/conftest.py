"""Real brokers, and a gateway of which a test says what it answers."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kafka_brokers
import pytest
from aiohttp import web

from deployments.streaming.stream_file import PredictionStream

_numbers = itertools.count()
WORKER = Path(__file__).with_name("stream_worker_process.py")


class Gateway:
    """Answers with what it was asked, after a moment of chance.

    Attributes:
        url: Where it listens.
        asked: Path, headers and body of every request.
        most_at_once: Requests under way at a time.
        answer: Status and document for a request's body, in place of the usual; None gives the usual.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.most_at_once = self._at_once = 0
        self.answer: Callable[[dict[str, Any]], tuple[int, dict[str, Any]] | None] = lambda body: None
        self.longest_seconds = 0.01
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)

    def _serve(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_post("/{path:.*}", self._handle)
        runner = web.AppRunner(app)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        port = site._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    async def _handle(self, request: web.Request) -> web.Response:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            body = await request.json()
            self.asked.append((request.path, dict(request.headers), body))
            await asyncio.sleep(random.uniform(0, self.longest_seconds))
            status, document = self.answer(body) or (200, {"echo": body.get("features", body)})
            return web.json_response(document, status=status)
        finally:
            self._at_once -= 1

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


@dataclass(frozen=True)
class Worker:
    """A worker's process.

    Attributes:
        process: The process.
        log: What it says.
    """

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def partitions(self) -> set[int]:
        """The partitions that it was given last."""
        lines = [line for line in self.log.read_text().splitlines() if "partitions [" in line]
        return set(json.loads(lines[-1].partition("partitions ")[2])) if lines else set()


@pytest.fixture(scope="session")
def brokers() -> Iterator[str]:
    with kafka_brokers.running() as address:
        yield address


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    answering = Gateway()
    yield answering
    answering.close()


@pytest.fixture
def stream(brokers: str) -> Callable[..., PredictionStream]:
    """A stream with topics and a group of its own."""

    def make(**changes: Any) -> PredictionStream:
        number = next(_numbers)
        spec = {
            "brokers": brokers,
            "group": f"stream-{number}",  # one that a member has just left takes the next one in after seconds
            "input": f"applications-{number}",
            "results": f"predictions-{number}",
            "rejected": f"rejected-{number}",
            "endpoint": "credit-risk",
            "keyHeader": "x-user-id",
            "clientOptions": {
                **kafka_brokers.FETCH,
                "session.timeout.ms": 6000,
                "heartbeat.interval.ms": 500,
                "topic.metadata.refresh.interval.ms": 500,
            },
            **changes,
        }
        document = {"apiVersion": "raygate.io/v1alpha1", "kind": "PredictionStream"}
        return PredictionStream.model_validate({**document, "metadata": {"name": "credit-risk"}, "spec": spec})

    return make


@pytest.fixture
def produce(brokers: str) -> Callable[..., None]:
    """Write records; every one is with the brokers when it returns."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 1})

    def write(stream: PredictionStream, records: list[tuple[str | None, Any]]) -> None:
        for key, value in records:
            text = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
            producer.produce(stream.spec.input, text, key)
        assert producer.flush(20) == 0

    return write


@pytest.fixture
def reader(brokers: str) -> Iterator[Callable[[str], kafka_brokers.Reader]]:
    opened: list[kafka_brokers.Reader] = []

    def make(topic: str) -> kafka_brokers.Reader:
        opened.append(kafka_brokers.Reader(brokers, topic))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def start_worker(gateway: Gateway, tmp_path: Path) -> Iterator[Callable[[PredictionStream], Worker]]:
    """A worker as a process of its own, that may be killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(stream: PredictionStream) -> Worker:
        command = [sys.executable, str(WORKER), stream.model_dump_json(by_alias=True), gateway.url]
        log = tmp_path / f"worker-{len(started)}.log"
        with log.open("w") as told:
            started.append(subprocess.Popen(command, stderr=told))
        return Worker(started[-1], log)

    yield start
    for process in started:
        process.kill()
        process.wait(10)
