"""What stands behind the hot path: health, readiness, the list of models, documentation."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Route

from deployments.contracts.errors import RaygateError, UnknownEndpoint
from deployments.contracts.feature_schema import Feature
from deployments.contracts.prediction import Label, ProblemDocument
from deployments.gateway import openapi
from deployments.gateway.asgi import PREDICT_PATH, PredictEndpoint
from deployments.gateway.problems import Code, Problem, http_problem, problem
from deployments.gateway.row_validation import shown_name
from deployments.gateway.scoring import Scoring
from deployments.gateway.served_endpoint import ServedEndpoint

_PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    404: {"model": ProblemDocument, "description": "No such model."},
    422: {"model": ProblemDocument, "description": "A parameter is not valid."},
}


class Health(BaseModel):
    """Health of one endpoint as this gateway replica sees it."""

    status: str
    model_loaded: bool
    model_version: str
    last_prediction: datetime | None
    latency_p95_ms: float | None
    model_id: str


class HealthOfAll(BaseModel):
    """Health of several endpoints."""

    status: str
    endpoints: list[Health]


class VersionReadiness(BaseModel):
    """Whether the pool of one version can answer."""

    version: str
    stable: bool
    ready: bool
    weight: float


class EndpointReadiness(BaseModel):
    """Readiness of one endpoint: that of its stable version."""

    model_id: str
    ready: bool
    policy_epoch: int
    versions: list[VersionReadiness]


class Readiness(BaseModel):
    """Readiness of the gateway: every endpoint's stable pool can answer."""

    status: str
    endpoints: list[EndpointReadiness]


class ServedModelVersion(VersionReadiness):
    """One version of a model with what is known of its package."""

    digest: str
    family: str
    task: str
    classes: list[Label]
    path: str
    parity: float | None
    metrics: dict[str, float]
    features: list[Feature]


class ServedModel(BaseModel):
    """One endpoint and its versions."""

    model_id: str
    model: str
    versions: list[ServedModelVersion]


class Models(BaseModel):
    """Everything that is served."""

    models: list[ServedModel]


def build(scoring: Scoring, predict: PredictEndpoint, release: str) -> FastAPI:
    """The application behind the hot path."""
    app = FastAPI(title=openapi.TITLE, version=release, redoc_url=None)
    app.router.routes.append(Route(PREDICT_PATH, predict, methods=["POST"], include_in_schema=False))
    app.openapi = lambda: openapi.document(app, scoring.endpoints.values())  # type: ignore[method-assign]
    _answer_problems(app)

    @app.get("/health", responses=_PROBLEM_RESPONSES, tags=["operations"])
    async def health(model_id: str | None = None) -> Health | HealthOfAll:
        """Health of the only endpoint, of the one that is named, or of all."""
        chosen = _endpoints(scoring, model_id)
        reports = [_health(scoring, endpoint) for endpoint in chosen]
        if len(reports) == 1:
            return reports[0]
        worst = "healthy" if reports and all(report.status == "healthy" for report in reports) else "degraded"
        return HealthOfAll(status=worst if reports else "empty", endpoints=reports)

    @app.get("/ready", tags=["operations"], responses={503: {"model": Readiness, "description": "Not ready."}})
    async def ready(response: Response) -> Readiness:
        """200 when the stable pool of every endpoint can answer; candidates are told, but do not matter."""
        endpoints = [_readiness(endpoint) for endpoint in scoring.endpoints.values()]
        is_ready = bool(endpoints) and all(endpoint.ready for endpoint in endpoints)
        response.status_code = 200 if is_ready else 503
        return Readiness(status="ready" if is_ready else "not ready", endpoints=endpoints)

    @app.get("/api/v1/models", tags=["models"])
    async def models() -> Models:
        """Every endpoint with its versions, weights, features and metrics."""
        return Models(models=[_served_model(endpoint) for endpoint in scoring.endpoints.values()])

    return app


def _answer_problems(app: FastAPI) -> None:
    """Every error, the framework's own too, leaves in the one envelope."""

    def respond(told: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
        return JSONResponse(told.document(), told.status, {**told.headers(), **(headers or {})})

    @app.exception_handler(HTTPException)
    async def of_framework(request: Request, error: HTTPException) -> JSONResponse:
        return respond(http_problem(error.status_code, str(error.detail)), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def of_parameters(request: Request, error: RequestValidationError) -> JSONResponse:
        details = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        return respond(Problem(422, Code.VALIDATION_ERROR, "a parameter is not valid", details))

    @app.exception_handler(RaygateError)
    async def of_raygate(request: Request, error: RaygateError) -> JSONResponse:
        return respond(problem(error))

    @app.exception_handler(Exception)
    async def of_anything(request: Request, error: Exception) -> JSONResponse:
        return respond(problem(error))


def _endpoints(scoring: Scoring, model_id: str | None) -> list[ServedEndpoint]:
    if model_id is None:
        return list(scoring.endpoints.values())
    endpoint = scoring.endpoints.get(model_id)
    if endpoint is None:
        raise UnknownEndpoint(shown_name(model_id), tuple(sorted(scoring.endpoints)))
    return [endpoint]


def _health(scoring: Scoring, endpoint: ServedEndpoint) -> Health:
    recent = scoring.counters.recent(endpoint.policy.model)
    p95 = recent.p95_seconds()
    every_version = all(version.ready for version in _readiness(endpoint).versions)
    loaded = endpoint.stable_is_ready
    return Health(
        status="healthy" if loaded and every_version else "degraded" if loaded else "unhealthy",
        model_loaded=loaded,
        model_version=str(endpoint.policy.stable),
        last_prediction=recent.last_answer,
        latency_p95_ms=None if p95 is None else round(p95 * 1000, 3),
        model_id=endpoint.policy.endpoint,
    )


def _readiness(endpoint: ServedEndpoint) -> EndpointReadiness:
    versions = []
    for version in endpoint.policy.versions:
        served = endpoint.versions.get(version)
        versions.append(
            VersionReadiness(
                version=str(version),
                stable=version == endpoint.policy.stable,
                ready=served is not None and served.ready,
                weight=round(100 * endpoint.table.shares.get(version, 0.0), 2),
            )
        )
    return EndpointReadiness(
        model_id=endpoint.policy.endpoint,
        ready=endpoint.stable_is_ready,
        policy_epoch=endpoint.policy.policy_epoch,
        versions=versions,
    )


def _served_model(endpoint: ServedEndpoint) -> ServedModel:
    described = []
    for readiness in _readiness(endpoint).versions:
        served = next((found for found in endpoint.versions.values() if found.text == readiness.version), None)
        if served is None:
            continue
        metadata = served.metadata
        described.append(
            ServedModelVersion(
                **readiness.model_dump(),
                digest=served.digest,
                family=metadata.family,
                task=metadata.task,
                classes=list(metadata.classes),
                path=metadata.path,
                parity=metadata.parity.max_difference,
                metrics=metadata.metrics,
                features=list(served.schema.features),
            )
        )
    return ServedModel(model_id=endpoint.policy.endpoint, model=endpoint.policy.model, versions=described)
