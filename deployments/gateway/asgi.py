"""The hot path: a plain ASGI callable in front of FastAPI.

Routing in FastAPI and Starlette costs about 45 % of the gateway's time a request, so the one path that matters is
taken before them; everything else goes on to the application behind.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from deployments.contracts.errors import BodyTooLarge, RaygateError
from deployments.gateway.problems import problem
from deployments.gateway.scoring import Scoring

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PREDICT_PATH = "/api/v1/predict"
_log = logging.getLogger("raygate.gateway")


class PredictEndpoint:
    """``POST /api/v1/predict`` as an ASGI application."""

    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong becomes an answer too."""
        began = time.monotonic()
        try:
            body = await _read_body(scope, receive, self._scoring.max_body_bytes)
        except BodyTooLarge as error:
            self._scoring.refused(error, time.monotonic() - began)
            await _send_problem(send, error)
            return
        if body is None:
            return
        try:
            answer = await self._scoring.predict(body, scope["headers"])
            content = orjson.dumps(answer, option=orjson.OPT_UTC_Z)
        except RaygateError as error:
            await _send_problem(send, error)
        except Exception as error:
            _log.exception("a predict request failed unexpectedly")
            await _send_problem(send, error)
        else:
            await _send(send, 200, content)


class HotPath:
    """Takes predict requests itself and hands everything else to the application behind.

    Args:
        predict: The predict endpoint.
        behind: Health, documentation and administration.
    """

    def __init__(self, predict: PredictEndpoint, behind: Application) -> None:
        self._predict, self._behind = predict, behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch on type, path and method."""
        if scope["type"] == "http" and scope["path"] == PREDICT_PATH and scope["method"] == "POST":
            await self._predict(scope, receive, send)
        else:
            await self._behind(scope, receive, send)


async def _read_body(scope: Scope, receive: Receive, limit: int) -> bytes | None:
    """The whole body, or None if the client left.

    Raises:
        BodyTooLarge: It has more bytes than the limit; said before it is read, if the client said its length.
    """
    for name, value in scope["headers"]:
        # A length of twelve digits is too large without a look at its value.
        if name == b"content-length" and value.isdigit() and (len(value) > 12 or int(value) > limit):
            raise BodyTooLarge(limit)
    message = await receive()
    if message["type"] == "http.disconnect":
        return None
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body if len(body) <= limit else _too_large(limit)
    chunks, size = [body], len(body)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise BodyTooLarge(limit)
    return b"".join(chunks)


def _too_large(limit: int) -> bytes:
    raise BodyTooLarge(limit)


async def _send_problem(send: Send, error: Exception) -> None:
    told = problem(error)
    headers = [(name.encode(), value.encode()) for name, value in told.headers().items()]
    await _send(send, told.status, told.body(), headers)


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
