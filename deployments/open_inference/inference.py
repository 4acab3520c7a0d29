"""One inference: from its HTTP request to the response, on top of the same scoring as ``/api/v1/predict``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from fastapi import Request, Response

from deployments import tracing
from deployments.contracts.errors import (
    BodyTooLarge,
    InvalidVersion,
    MalformedRequest,
    RaygateError,
    UnknownVersion,
)
from deployments.contracts.model_version import Version
from deployments.gateway.answer import Answer
from deployments.gateway.incoming import Incoming
from deployments.gateway.request_document import RequestDocument
from deployments.gateway.row_validation import shown_name
from deployments.gateway.scoring import Scoring
from deployments.gateway.served_endpoint import ServedEndpoint
from deployments.open_inference import inference_answer, inference_request
from deployments.open_inference.inference_request import InferenceRequest
from deployments.open_inference.outputs import PREDICTION_ID, PROBABILITIES, chosen
from deployments.open_inference.refusals import unscored
from deployments.tracing import Tracing

if TYPE_CHECKING:
    from opentelemetry.trace import Span

ROUTE = "/v2/models/{name}/infer"
"""Name of the spans of both routes: a trace says the version elsewhere."""

IncomingOf = Callable[[Request, float, int, int], Incoming]
"""What belongs to a request that arrived at a time of the clock with so many bytes and rows. Raises a RaygateError
if its caller may not send so many."""


async def infer(
    scoring: Scoring, incoming_of: IncomingOf, spans: Tracing, request: Request, name: str, version: str | None
) -> Response:
    """Answer one request.

    Args:
        scoring: Answers it.
        incoming_of: Who is asking, and what they may.
        spans: Where requests are traced.
        request: With the tensors.
        name: Of the endpoint.
        version: That must answer, or None: then the endpoint's traffic policy chooses.

    Raises:
        RaygateError: Refused or failed; counted already.
    """
    span, failure = spans.begin_request(f"POST {ROUTE}", request.scope["headers"]), ""
    try:
        return await _answered(scoring, incoming_of, span, request, name, version)
    except Exception as error:
        failure = type(error).__name__
        raise
    finally:
        tracing.end(span, {"http.route": ROUTE}, failure)


async def _answered(
    scoring: Scoring, incoming_of: IncomingOf, span: Span | None, request: Request, name: str, version: str | None
) -> Response:
    began = scoring.clock()
    try:
        endpoint = scoring.endpoint(name)
        pinned = None if version is None else version_of(endpoint, version)
        body = await _body(request, endpoint.policy.limits.max_body_bytes)
        header_length = request.headers.get(inference_answer.HEADER_LENGTH)
        asked = inference_request.read(body, header_length, endpoint.policy.limits.max_rows)
        described = endpoint.stable if pinned is None else endpoint.versions.get(pinned)
        if described is not None:  # else there is no pool, and scoring will say so
            chosen(asked, described.metadata)
        incoming = replace(incoming_of(request, began, len(body), len(asked.rows)), span=span)
    except RaygateError as error:
        scoring.refused(error, scoring.clock() - began)
        raise
    document = RequestDocument(name, asked.rows, single=False, version=pinned)
    answer = await scoring.answer(document, incoming)
    return _response(asked, answer, name)


def version_of(endpoint: ServedEndpoint, text: str) -> Version:
    """The endpoint's version of that number.

    Raises:
        UnknownVersion: There is none.
    """
    try:
        version = Version.parse(text)
    except InvalidVersion:
        version = None
    if version is None or version not in endpoint.policy.versions:
        raise UnknownVersion(shown_name(text), tuple(map(str, endpoint.policy.versions)))
    return version


def _response(asked: InferenceRequest, answer: Answer, name: str) -> Response:
    if answer.scores.errors:
        return unscored(answer.scores.errors)
    outputs = chosen(asked, answer.served.metadata)
    probabilities = any(output.name == PROBABILITIES for output, _ in outputs)
    rows = [
        {**answer.served.read(scores, probabilities), PREDICTION_ID: prediction_id}
        for scores, prediction_id in zip(answer.scores.values.tolist(), answer.ids, strict=True)
    ]
    written = inference_answer.write(asked, outputs, name, answer.served.text, rows)
    return Response(written.body, headers=written.headers())


async def _body(request: Request, limit: int) -> bytes:
    """The whole body.

    Raises:
        BodyTooLarge: It has more bytes than the limit.
        MalformedRequest: It is compressed.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise MalformedRequest(f"content-encoding {shown_name(encoding)} is not accepted; send the body as it is")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge(limit)
    return bytes(body)
