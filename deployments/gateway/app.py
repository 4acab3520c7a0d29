"""What stands behind the hot path: health, readiness, the list of models, documentation."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.routing import Route

from deployments.access.access import Access
from deployments.batch.policy import BatchPolicy
from deployments.contracts.errors import RaygateError
from deployments.gateway import batches, control, feedback_routes, openapi, status_routes
from deployments.gateway.asgi import PREDICT_PATHS, PredictEndpoint
from deployments.gateway.problems import Code, Problem, http_problem, problem
from deployments.gateway.scoring import Scoring
from deployments.open_inference import routes as open_inference
from deployments.tracing import Tracing

DOCUMENTATION_FILES = "/docs/static"
"""Script and style of the docs page."""


def build(
    scoring: Scoring,
    predict: PredictEndpoint,
    release: str,
    batch: BatchPolicy | None = None,
    spans: Tracing | None = None,
    control_url: str = "",
    access: Access | None = None,
) -> FastAPI:
    """The application behind the hot path; expects ``Guard`` to have said who is calling.

    Args:
        scoring: Answers predict requests, of other protocols too.
        predict: The predict endpoint, for those that reach it past the hot path.
        release: Of Raygate.
        batch: Rules for batches; without them none is taken.
        spans: Where requests of other protocols are traced; None: nowhere.
        control_url: Where models are reloaded; empty where that is not possible.
        access: Counts the rows of batches; goes with ``batch``.
    """
    app = FastAPIOffline(title=openapi.TITLE, version=release, redoc_url=None, static_url=DOCUMENTATION_FILES)
    for path in PREDICT_PATHS:
        app.router.routes.append(Route(path, predict, methods=["POST"], include_in_schema=False))
    app.openapi = lambda: openapi.document(app, scoring.endpoints.values())  # type: ignore[method-assign]
    _answer_problems(app)
    app.include_router(status_routes.router(scoring))
    app.include_router(feedback_routes.router(scoring))

    app.include_router(open_inference.router(scoring, release, spans or Tracing()))
    if batch is not None:
        assert access is not None, "batches are charged to their callers"
        app.include_router(batches.router(scoring, batch, access))
    if control_url:
        app.include_router(control.router(control_url))
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
