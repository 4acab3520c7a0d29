"""The hot path: a plain ASGI callable in front of FastAPI.

Routing in FastAPI and Starlette costs about 45 % of the gateway's time a request, so the one path that matters is
taken before them; everything else goes on to the application behind.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

import orjson

from deployments import tracing
from deployments.access.access import Access
from deployments.access.caller import Caller
from deployments.access.roles import Permission
from deployments.contracts.errors import BodyTooLarge, MalformedRequest, RaygateError
from deployments.gateway.answer import Answer, document, own_document
from deployments.gateway.incoming import Incoming
from deployments.gateway.problems import problem
from deployments.gateway.request_document import RequestDocument, parse, read
from deployments.gateway.scoring import Scoring
from deployments.logs import request_id
from deployments.tracing import Tracing

if TYPE_CHECKING:
    from opentelemetry.trace import Span

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Told = tuple[bytes, list[tuple[bytes, bytes]] | None]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PREDICT_PATH, AB_PATH, CHAMPION_PATH = "/api/v1/predict", "/predict/ab", "/predict"
PREDICT_PATHS = (PREDICT_PATH, AB_PATH, CHAMPION_PATH)
CALLER = "raygate.caller"
"""Where the scope of a request says who sent it."""
_log = logging.getLogger("raygate.gateway")


class PredictEndpoint:
    """``POST /api/v1/predict`` and its short forms as an ASGI application.

    Args:
        scoring: Answers.
        access: Lets callers in.
        spans: Where requests are traced.
    """

    def __init__(self, scoring: Scoring, access: Access, spans: Tracing) -> None:
        self._scoring, self._access, self._spans = scoring, access, spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong becomes an answer too."""
        path: str = scope["path"]
        span = self._spans.begin_request(f"POST {path}", scope["headers"])
        began, failure = self._scoring.clock(), ""
        try:
            told = await self._answer(scope, receive, span, began)
        except Exception as error:
            failure = type(error).__name__
            if not isinstance(error, RaygateError):
                _log.exception("a predict request failed unexpectedly")
            await send_problem(send, error)
        else:
            if told is not None:
                await _send(send, 200, *told)
        finally:
            tracing.end(span, {"http.route": path}, failure)

    async def _answer(self, scope: Scope, receive: Receive, span: Span | None, began: float) -> Told | None:
        """The answer, or None if the client left."""
        scoring, headers = self._scoring, scope["headers"]
        try:
            caller = self._access.admit(headers, Permission.PREDICT)
            body = await _read_body(scope, receive, scoring.max_body_bytes)
            if body is None:
                return None
            asked = self._asked(scope, body)
            self._access.spend(caller, len(asked.rows))
        except RaygateError as error:
            scoring.refused(error, scoring.clock() - began)
            raise
        incoming = Incoming(headers, began, len(body), caller, scope["path"] == CHAMPION_PATH, span)
        answer = await scoring.answer(asked, incoming)
        return self._told(answer, asked)

    def _asked(self, scope: Scope, body: bytes) -> RequestDocument:
        """What a body asks.

        Raises:
            RaygateError: It cannot be read.
        """
        return read(body)

    def _told(self, answer: Answer, asked: RequestDocument) -> Told:
        """Body and headers of an answer.

        Raises:
            RowFailed: There is no score to tell.
        """
        return orjson.dumps(document(answer, asked), option=orjson.OPT_UTC_Z), None


class DocumentEndpoint(PredictEndpoint):
    """The paths that endpoints have of their own: the body is a document for the endpoint's transformers."""

    def takes(self, path: str) -> bool:
        """Whether a path is an endpoint's."""
        return path in self._scoring.document_paths

    def _asked(self, scope: Scope, body: bytes) -> RequestDocument:
        sent = parse(body)
        if type(sent) is not dict:
            raise MalformedRequest("the body must be a JSON object")
        endpoint = self._scoring.document_paths[scope["path"]].endpoint_of(sent)
        return RequestDocument(endpoint, [sent], single=True, text=body.decode())

    def _told(self, answer: Answer, asked: RequestDocument) -> Told:
        return own_document(answer), [
            (b"x-prediction-id", answer.ids[0].encode()),
            (b"x-model-version", answer.served.text.encode()),
        ]


class Guard:
    """Hands requests of callers that may to the application behind, and tells it who they are.

    Args:
        behind: What is guarded.
        access: Lets callers in.
        permission: What it takes; None looks it up in the table of routes.
    """

    def __init__(self, behind: Application, access: Access, permission: Permission | None = None) -> None:
        self._behind, self._access, self._permission = behind, access, permission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or answer why not."""
        if scope["type"] == "http":
            try:
                scope[CALLER] = self._admit(scope)
            except RaygateError as error:
                await send_problem(send, error)
                return
        await self._behind(scope, receive, send)

    def _admit(self, scope: Scope) -> Caller:
        if self._permission is None:
            return self._access.admit_route(scope["method"], scope["path"], scope["headers"])
        return self._access.admit(scope["headers"], self._permission)


class HotPath:
    """Takes predict requests itself and hands everything else to the application behind.

    Args:
        predict: The predict endpoint.
        documents: Takes requests on the paths that endpoints have of their own.
        behind: Health, documentation, feedback, and everything else, guarded.
    """

    def __init__(self, predict: PredictEndpoint, documents: DocumentEndpoint, behind: Application) -> None:
        self._predict, self._documents, self._behind = predict, documents, behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch on type, path and method."""
        if scope["type"] == "http":
            request_id.begin(scope["headers"])
        if scope["type"] == "http" and scope["method"] == "POST":
            if scope["path"] in PREDICT_PATHS:
                await self._predict(scope, receive, send)
                return
            if self._documents.takes(scope["path"]):
                await self._documents(scope, receive, send)
                return
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


async def send_problem(send: Send, error: Exception) -> None:
    """Answer with an error."""
    told = problem(error)
    headers = [(name.encode(), value.encode()) for name, value in told.headers().items()]
    await _send(send, told.status, told.body(), headers)


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
