"""One inference: from its HTTP request to the response, on top of the same scoring as ``/api/v1/predict``."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from fastapi import Request, Response

from deployments import tracing
from deployments.contracts.errors import InvalidVersion, UnknownVersion
from deployments.contracts.model_version import Version
from deployments.gateway.answer import Answer
from deployments.gateway.asgi import CALLER
from deployments.gateway.intake import Intake
from deployments.gateway.request_document import RequestDocument
from deployments.gateway.row_validation import shown_name
from deployments.gateway.scoring import Scoring
from deployments.gateway.served_endpoint import ServedEndpoint
from deployments.open_inference import inference_answer, inference_request
from deployments.open_inference.inference_request import InferenceRequest
from deployments.open_inference.outputs import PREDICTION_ID, PROBABILITIES, chosen
from deployments.open_inference.refusals import unscored
from deployments.tracing import Tracing

ROUTE = "/v2/models/{name}/infer"
"""Name of the spans of both routes: a trace says the version elsewhere."""


@dataclass(frozen=True, slots=True)
class InferenceDocument(RequestDocument):
    """A request to predict that came as tensors.

    Attributes:
        tensors: What the answer needs of it.
    """

    tensors: InferenceRequest = field(kw_only=True)


class Inference:
    """Answers the protocol's requests.

    Args:
        scoring: Predicts.
        spans: Where requests are traced.
    """

    def __init__(self, scoring: Scoring, spans: Tracing) -> None:
        self._scoring, self._spans, self._intake = scoring, spans, Intake(scoring)

    async def infer(self, request: Request, name: str, version: str | None) -> Response:
        """Answer one request, whose scope says who is asking.

        Args:
            request: With the tensors.
            name: Of the endpoint.
            version: That must answer, or None: then the endpoint's traffic policy chooses.

        Raises:
            RaygateError: Refused or failed; counted already.
        """
        scope = request.scope
        span, failure = self._spans.begin_request(f"POST {ROUTE}", scope["headers"]), ""
        length = request.headers.get(inference_answer.HEADER_LENGTH)
        understand = partial(self._understood, name, version, length)
        try:
            answered = await self._intake.answer(
                scope, request.receive, lambda headers: scope[CALLER], understand, span
            )
            # Whoever left reads no answer, but the web framework wants one.
            return Response(status_code=400) if answered is None else _response(*answered)
        except Exception as error:
            failure = type(error).__name__
            raise
        finally:
            tracing.end(span, {"http.route": ROUTE}, failure)

    def _understood(
        self, name: str, version: str | None, header_length: str | None, body: bytes
    ) -> InferenceDocument:
        endpoint = self._scoring.endpoint(name)
        pinned = None if version is None else version_of(endpoint, version)
        tensors = inference_request.read(body, header_length, endpoint.policy.limits.max_rows)
        described = endpoint.stable if pinned is None else endpoint.versions.get(pinned)
        if described is not None:  # else there is no pool, and scoring will say so
            chosen(tensors, described.metadata)
        return InferenceDocument(name, tensors.rows, single=False, version=pinned, tensors=tensors)


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


def _response(asked: InferenceDocument, answer: Answer) -> Response:
    if answer.scores.errors:
        return unscored(answer.scores.errors)
    served = answer.served
    outputs = chosen(asked.tensors, served.metadata)
    probabilities = any(output.name == PROBABILITIES for output, _ in outputs)
    rows = [
        {**served.tell_and_count(scores, probabilities), PREDICTION_ID: prediction_id}
        for scores, prediction_id in zip(answer.scores.values.tolist(), answer.ids, strict=True)
    ]
    parameters = {"failover_from": str(answer.assignment.version)} if answer.failover else {}
    written = inference_answer.write(asked.tensors, outputs, asked.model_id, served.text, rows, parameters)
    return Response(written.body, headers=written.headers())
