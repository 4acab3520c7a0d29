"""Requests at a steady pace over keep-alive connections, with every outcome kept."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import aiohttp


@dataclass(frozen=True)
class Outcome:
    """One request.

    Attributes:
        at: Monotonic time of the answer.
        status: HTTP status; 0 if the connection failed.
        version: The version that answered, or empty.
        seconds: Latency.
        text: The body of what did not succeed, or the transport's error.
        retry_after: The header of that name, or empty.
    """

    at: float
    status: int
    version: str
    seconds: float
    text: str = ""
    retry_after: str = ""

    @property
    def began(self) -> float:
        """Monotonic time at which it was sent."""
        return self.at - self.seconds


@dataclass
class Load:
    """Sends predict requests from a thread of its own until the block ends.

    Attributes:
        url: Of the predict route.
        body: The document, the same for all requests.
        features: Of the n-th request, in place of the body's.
        connections: Requests under way at a time.
        rate: Requests a second in all; bounds what the test takes from two cores.
        headers: Of the n-th request.
        credential: Headers of every request.
    """

    url: str
    body: dict[str, Any]
    connections: int = 16
    rate: float = 200.0
    headers: Callable[[int], dict[str, str]] = lambda number: {}
    credential: dict[str, str] = field(default_factory=dict)
    features: Callable[[int], dict[str, Any]] | None = None
    outcomes: list[Outcome] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(60)
        print(self)  # for docs/operations.md: pytest -rP shows it

    def __str__(self) -> str:
        statuses = dict(Counter(outcome.status for outcome in self.failed))
        return f"{len(self.outcomes)} requests, failed: {statuses or 'none'}, worst {self.worst_seconds:.2f} s"

    def send(self, count: int) -> list[Outcome]:
        """Send a number of requests as fast as the connections allow and return their outcomes."""
        asyncio.run(self._run(count))
        return self.outcomes

    def await_answers(self, more: int, timeout_s: float = 60.0) -> None:
        """Wait until so many further requests have been answered."""
        wanted, deadline = len(self.outcomes) + more, time.monotonic() + timeout_s
        while len(self.outcomes) < wanted:
            assert time.monotonic() < deadline, f"only {len(self.outcomes)} of {wanted} answers"
            time.sleep(0.05)

    @staticmethod
    def now() -> float:
        """The present moment on the clock of the outcomes."""
        return time.monotonic()

    @property
    def failed(self) -> list[Outcome]:
        """Everything but 200."""
        return [outcome for outcome in self.outcomes if outcome.status != 200]

    def versions(self, since: float = 0.0) -> Counter[str]:
        """Answers by version, of those that came after a moment."""
        return Counter(outcome.version for outcome in self.outcomes if outcome.at > since and outcome.version)

    @property
    def worst_seconds(self) -> float:
        """The longest latency."""
        return max(outcome.seconds for outcome in self.outcomes)

    async def _run(self, count: int | None = None) -> None:
        connector = aiohttp.TCPConnector(limit=self.connections)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(30)) as session:
            numbers = iter(range(count)) if count is not None else iter(int, 1)
            async with asyncio.TaskGroup() as tasks:
                for worker in range(self.connections):
                    tasks.create_task(self._work(session, numbers, worker, paced=count is None))

    async def _work(self, session: aiohttp.ClientSession, numbers: Any, worker: int, paced: bool) -> None:
        pause = self.connections / self.rate
        if paced:
            await asyncio.sleep(pause * worker / self.connections)
        for position, _ in enumerate(numbers):
            if paced and self._stopping.is_set():
                return
            began = time.monotonic()
            await self._one(session, position * self.connections + worker)
            if paced:
                await asyncio.sleep(max(0.0, pause - (time.monotonic() - began)))

    async def _one(self, session: aiohttp.ClientSession, number: int) -> None:
        began, wish = time.monotonic(), ""
        body = {**self.body, "features": self.features(number)} if self.features else self.body
        try:
            async with session.post(
                self.url, json=body, headers={**self.credential, **self.headers(number)}
            ) as response:
                text, status = await response.text(), response.status
                wish = response.headers.get("retry-after", "")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            text, status = repr(error), 0
        now = time.monotonic()
        version = json.loads(text)["model_version"] if status == 200 else ""
        self.outcomes.append(Outcome(now, status, version, now - began, "" if version else text, wish))
