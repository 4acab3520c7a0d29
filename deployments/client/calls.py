"""The API's calls as values: what is sent, and how the answer is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypedDict, TypeVar

import orjson

from deployments.contracts.prediction import FeedbackResponse, Prediction, PredictResponse, PredictRowsResponse
from deployments.contracts.status import EndpointHealth, Health, Models, Readiness, ServedModel

Features = Mapping[str, Any]
Result = TypeVar("Result", covariant=True)

USER_HEADER = "x-user-id"
_FLAGS = ("return_probabilities", "return_explanations")


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """One call of the API.

    Attributes:
        method: HTTP method.
        path: Below the base URL.
        read: The result in an answer's body; raises ValueError for a body that is not of this call.
        content: Body, JSON.
        headers: Of this call, in UTF-8.
        parameters: Of the query.
        answers: Statuses that carry a result.
    """

    method: str
    path: str
    read: Callable[[bytes], Result]
    content: bytes | None = None
    headers: dict[str, bytes] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    answers: tuple[int, ...] = (200,)


class PredictOptions(TypedDict, total=False):
    """What may be said of a predict call besides model and features."""

    model_version: str
    """The version that must answer; the caller needs the permission to pin."""
    return_probabilities: bool
    """Ask for the probability of every class."""
    return_explanations: bool
    """Ask for what every feature contributed."""
    user: str
    """Who is asked about; goes out as ``x-user-id``, by which an endpoint may keep a version."""
    headers: Mapping[str, str]
    """More request headers: for rules, and other sticky units."""


def predict(
    model_id: str, features: Features | Sequence[Features], options: PredictOptions
) -> Call[PredictResponse | PredictRowsResponse]:
    """``POST /api/v1/predict``."""
    single = isinstance(features, Mapping)
    document: dict[str, Any] = {
        "model_id": model_id,
        "features": dict(features) if isinstance(features, Mapping) else [dict(row) for row in features],
        "options": {name: True for name in _FLAGS if options.get(name)},
    }
    if "model_version" in options:
        document["model_version"] = options["model_version"]
    headers = {name: value.encode() for name, value in options.get("headers", {}).items()}
    if "user" in options:
        headers[USER_HEADER] = options["user"].encode()
    read = PredictResponse.model_validate_json if single else PredictRowsResponse.model_validate_json
    return Call("POST", "/api/v1/predict", read, _json(document), headers)


def feedback(
    prediction_id: str, label: Prediction | None, value: float | None, idempotency_key: str | None
) -> Call[FeedbackResponse]:
    """``POST /api/v1/feedback``; without a key the content is the key."""
    told = {"label": label, "value": value}
    document = {"prediction_id": prediction_id, **{name: item for name, item in told.items() if item is not None}}
    return Call(
        "POST",
        "/api/v1/feedback",
        FeedbackResponse.model_validate_json,
        _json(document),
        {} if idempotency_key is None else {"idempotency-key": idempotency_key.encode()},
    )


def models() -> Call[tuple[ServedModel, ...]]:
    """``GET /api/v1/models``."""
    return Call("GET", "/api/v1/models", lambda body: Models.model_validate_json(body).models)


def health(model_id: str | None) -> Call[Health]:
    """``GET /health``."""
    return Call("GET", "/health", _read_health, parameters={} if model_id is None else {"model_id": model_id})


def ready() -> Call[Readiness]:
    """``GET /ready``; not being ready is an answer."""
    return Call("GET", "/ready", _read_readiness, answers=(200, 503))


def _read_health(body: bytes) -> Health:
    document = orjson.loads(body)
    if "endpoints" in document:
        return Health.model_validate(document)
    only = EndpointHealth.model_validate(document)
    return Health(status=only.status, endpoints=(only,))


def _read_readiness(body: bytes) -> Readiness:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:  # the proxy's own 503: no gateway runs
        return Readiness(status="not ready", endpoints=())
    return Readiness.model_validate(document)


def _json(document: dict[str, Any]) -> bytes:
    """JSON in which NumPy's numbers are numbers, and NaN, which stands for a missing value, is null."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
