"""The same Prometheus text as an ASGI application, for a route behind the API's port."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


def build(registry: CollectorRegistry) -> Application:
    """An application that answers ``GET .../metrics`` and nothing else.

    Series are collected in a thread: on Serve the event loop is shared with the calls that bring the figures.
    """

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _follow_lifespan(receive, send)
        elif scope["type"] == "http":
            if scope["method"] == "GET" and scope["path"].endswith("/metrics"):
                headers, body = await asyncio.to_thread(_expose, registry, dict(scope["headers"]))
                await _answer(send, 200, headers, body)
            else:
                await _answer(send, 404, [(b"content-type", b"text/plain")], b"only GET metrics is here\n")

    return application


def _expose(registry: CollectorRegistry, headers: dict[bytes, bytes]) -> tuple[list[tuple[bytes, bytes]], bytes]:
    encode, content_type = choose_encoder(headers.get(b"accept", b"").decode("latin-1"))
    body = encode(registry)
    answered = [(b"content-type", content_type.encode("latin-1"))]
    if b"gzip" in headers.get(b"accept-encoding", b""):
        return [*answered, (b"content-encoding", b"gzip")], gzip.compress(body)
    return answered, body


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    sized = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": sized})
    await send({"type": "http.response.body", "body": body})


async def _follow_lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
