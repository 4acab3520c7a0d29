"""The protocol's paths."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from deployments.contracts.errors import PoolUnavailable
from deployments.gateway.scoring import Scoring
from deployments.gateway.served_endpoint import ServedEndpoint
from deployments.open_inference import model_metadata
from deployments.open_inference.inference import Inference, version_of
from deployments.open_inference.refusals import ProtocolError, ProtocolRoute
from deployments.tracing import Tracing

_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ProtocolError, "description": description}
    for status, description in {
        400: "Not JSON, or the header does not fit the body.",
        403: "The caller may not say which version answers.",
        404: "No such model or version.",
        408: "The body did not arrive in time.",
        413: "The body is too large.",
        422: "A tensor does not fit the protocol or the model.",
        429: "The caller's rows of the day are used up; see Retry-After.",
        500: "The model failed on a row.",
        503: "Too many requests wait, or the model cannot answer now; see Retry-After.",
        504: "The model did not answer in time.",
    }.items()
}
_UNKNOWN: dict[int | str, dict[str, Any]] = {status: _RESPONSES[status] for status in (404, 503)}
_TENSORS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "required": ["inputs"], "properties": {"inputs": {"type": "array"}}}
            }
        },
    }
}


def router(scoring: Scoring, release: str, spans: Tracing) -> APIRouter:
    """The routes of the protocol; they expect ``Guard`` to have said who is calling.

    Args:
        scoring: Answers requests.
        release: Of this server, for its metadata.
        spans: Where requests are traced.
    """
    routes = APIRouter(prefix="/v2", tags=["open inference protocol"], route_class=ProtocolRoute)

    @routes.get("")
    async def server_metadata() -> dict[str, Any]:
        """Name, release and extensions of this server."""
        return model_metadata.server(release)

    _tell_health(routes, scoring)
    _tell_models(routes, scoring)
    _infer(routes, Inference(scoring, spans))
    return routes


def _tell_health(routes: APIRouter, scoring: Scoring) -> None:
    @routes.get("/health/live")
    async def live() -> dict[str, bool]:
        """200 as long as this gateway answers."""
        return {"live": True}

    @routes.get("/health/ready", responses={503: {"description": "Not ready."}})
    async def ready(response: Response) -> dict[str, bool]:
        """200 when the stable version of every endpoint can answer."""
        endpoints = scoring.endpoints.values()
        return _ready(response, bool(endpoints) and all(endpoint.stable_is_ready for endpoint in endpoints))


def _tell_models(routes: APIRouter, scoring: Scoring) -> None:
    @routes.get("/models/{name}", responses=_UNKNOWN)
    async def metadata(name: str) -> dict[str, Any]:
        """Inputs and outputs of a model, as its stable version has them."""
        return _metadata(scoring.endpoint(name), None)

    @routes.get("/models/{name}/versions/{version}", responses=_UNKNOWN)
    async def version_metadata(name: str, version: str) -> dict[str, Any]:
        """Inputs and outputs of one version of a model."""
        return _metadata(scoring.endpoint(name), version)

    @routes.get("/models/{name}/ready", responses=_UNKNOWN)
    async def model_ready(name: str, response: Response) -> dict[str, Any]:
        """200 when the model's stable version can answer."""
        endpoint = scoring.endpoint(name)
        return {"name": name, **_ready(response, endpoint.stable_is_ready)}

    @routes.get("/models/{name}/versions/{version}/ready", responses=_UNKNOWN)
    async def version_ready(name: str, version: str, response: Response) -> dict[str, Any]:
        """200 when this version can answer; one that sleeps can, once it is up."""
        endpoint = scoring.endpoint(name)
        number = version_of(endpoint, version)
        served = endpoint.versions.get(number)
        return {"name": name, **_ready(response, (served is not None and served.ready) or endpoint.sleeps(number))}


def _infer(routes: APIRouter, inference: Inference) -> None:
    @routes.post("/models/{name}/infer", responses=_RESPONSES, openapi_extra=_TENSORS)
    async def infer(name: str, request: Request) -> Response:
        """Predict; the endpoint's traffic policy chooses the version."""
        return await inference.infer(request, name, None)

    @routes.post("/models/{name}/versions/{version}/infer", responses=_RESPONSES, openapi_extra=_TENSORS)
    async def version_infer(name: str, version: str, request: Request) -> Response:
        """Predict with this version; needs the permission to pin."""
        return await inference.infer(request, name, version)


def _metadata(endpoint: ServedEndpoint, version: str | None) -> dict[str, Any]:
    wanted = endpoint.policy.stable if version is None else version_of(endpoint, version)
    served = endpoint.versions.get(wanted)
    if served is None:
        raise PoolUnavailable(f"{endpoint.policy.model}_v{wanted}", 0, "not described")
    versions = map(str, endpoint.policy.versions)
    return model_metadata.model(endpoint.policy.endpoint, versions, served.schema, served.metadata)


def _ready(response: Response, is_ready: bool) -> dict[str, bool]:
    response.status_code = 200 if is_ready else 503
    return {"ready": is_ready}
