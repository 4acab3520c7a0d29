"""Requests that reach a gateway together, in one call of Serve and without HTTP: what a stream of records sends.

Each is admitted, counted, split and logged as if it had come alone; only the way is shorter.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deployments.contracts.joint_call import JointAnswer, JointRequest

if TYPE_CHECKING:
    from deployments.gateway.asgi import Application
    from deployments.gateway.body import Message, Scope


LONGEST_SECONDS = 25.0
"""Less than who sends them waits for all: one that hangs is given up alone."""
_log = logging.getLogger("raygate.gateway")


async def answer_together(application: Application, requests: list[JointRequest]) -> list[JointAnswer]:
    """The answers to some POST requests, in their order; all are worked on at the same time."""
    # A task each: what is noted of a request in a context variable must not reach the next one.
    return list(await asyncio.gather(*(_answer(application, request) for request in requests)))


async def _answer(application: Application, request: JointRequest) -> JointAnswer:
    """One answer, whatever happens: what goes wrong with a request must not cost the others theirs."""
    exchange = _Exchange(request.body)
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            await application(_scope(request), exchange.receive, exchange.send)
    except TimeoutError:
        return JointAnswer(504, (), b"")
    except Exception:  # what was answered before that is still the answer
        _log.exception("a request to %s failed unexpectedly", request.path)
    return JointAnswer(exchange.status, tuple(exchange.headers), b"".join(exchange.chunks))


@dataclass
class _Exchange:
    """Both sides of one request: a client that stays until it has its answer."""

    body: bytes
    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    is_sent: bool = False

    async def receive(self) -> Message:
        """The body, once; then nothing, as of a client that waits."""
        if self.is_sent:
            await asyncio.Event().wait()
        self.is_sent = True
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def send(self, message: Message) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self.chunks.append(message.get("body", b""))


def _scope(request: JointRequest) -> Scope:
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": list(request.headers),
        "client": None,
        "server": None,
    }
    return scope
