"""The hot path: a plain ASGI callable in front of FastAPI.

Routing in FastAPI and Starlette costs about 45 % of the gateway's time a request, so the one path that matters is
taken before them; everything else goes on to the application behind.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import orjson

from deployments import tracing
from deployments.access.access import Access
from deployments.access.caller import Caller
from deployments.access.errors import UnlistedRoute
from deployments.access.roles import Permission
from deployments.contracts.errors import MalformedRequest, RaygateError
from deployments.gateway.answer import Answer, document, own_document
from deployments.gateway.body import BODY_SECONDS, Message, Receive, Scope
from deployments.gateway.intake import Intake
from deployments.gateway.problems import problem
from deployments.gateway.request_document import RequestDocument, parse, read
from deployments.gateway.scoring import Scoring
from deployments.logs import request_id
from deployments.tracing import Tracing

if TYPE_CHECKING:
    from opentelemetry.trace import Span

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
        body_seconds: In which a body must be there.
    """

    def __init__(
        self, scoring: Scoring, access: Access, spans: Tracing, body_seconds: float = BODY_SECONDS
    ) -> None:
        self._scoring, self._spans = scoring, spans
        self._intake = Intake(scoring, body_seconds)
        self._admit = partial(access.admit, permission=Permission.PREDICT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong becomes an answer too."""
        path: str = scope["path"]
        span = self._spans.begin_request(f"POST {path}", scope["headers"])
        failure = ""
        try:
            told = await self._answer(scope, receive, span)
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

    async def _answer(self, scope: Scope, receive: Receive, span: Span | None) -> Told | None:
        """The answer, or None if the client left."""
        path = scope["path"]
        answered = await self._intake.answer(
            scope, receive, self._admit, partial(self._asked, path), span, path == CHAMPION_PATH
        )
        return None if answered is None else self._told(*answered)

    def _asked(self, path: str, body: bytes) -> RequestDocument:
        """What a body asks.

        Raises:
            RaygateError: It cannot be read.
        """
        return read(body)

    def _told(self, asked: RequestDocument, answer: Answer) -> Told:
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

    def _asked(self, path: str, body: bytes) -> RequestDocument:
        sent = parse(body)
        if type(sent) is not dict:
            raise MalformedRequest("the body must be a JSON object")
        taken = self._scoring.document_paths.get(path)
        if taken is None:  # the path was an endpoint's when the body began
            raise UnlistedRoute("POST", path, ())
        return RequestDocument(taken.endpoint_of(sent), [sent], single=True, text=body.decode())

    def _told(self, asked: RequestDocument, answer: Answer) -> Told:
        headers = [
            (b"x-prediction-id", answer.ids[0].encode()),
            (b"x-model-version", answer.served.text.encode()),
        ]
        if answer.failover:
            headers.append((b"x-failover-from", str(answer.assignment.version).encode()))
        return own_document(answer), headers


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

    def takes(self, scope: Scope) -> bool:
        """Whether a request predicts: it needs nothing of what is behind."""
        return self._predicting(scope) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch on type, path and method."""
        if scope["type"] == "http":
            request_id.begin(scope["headers"])
        await (self._predicting(scope) or self._behind)(scope, receive, send)

    def _predicting(self, scope: Scope) -> PredictEndpoint | None:
        if scope["type"] != "http" or scope["method"] != "POST":
            return None
        if scope["path"] in PREDICT_PATHS:
            return self._predict
        return self._documents if self._documents.takes(scope["path"]) else None


async def send_problem(send: Send, error: Exception) -> None:
    """Answer with an error."""
    told = problem(error)
    headers = [(name.encode(), value.encode()) for name, value in told.headers().items()]
    await _send(send, told.status, told.body(), headers)


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
