"""What runs and how it is: for load balancers, people and the controller."""

from __future__ import annotations

import dataclasses
from typing import Any

from fastapi import APIRouter, Response

from deployments.contracts.prediction import ProblemDocument
from deployments.contracts.status import EndpointHealth, Health, Models, Readiness
from deployments.gateway import own_figures
from deployments.gateway.scoring import Scoring
from deployments.gateway.status_documents import health_of, readiness_of, served_model

_PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    404: {"model": ProblemDocument, "description": "No such model."},
    422: {"model": ProblemDocument, "description": "A parameter is not valid."},
}


def router(scoring: Scoring) -> APIRouter:
    """Health, readiness, the models, and what this gateway counted."""
    routes = APIRouter()

    @routes.get("/health", responses=_PROBLEM_RESPONSES, tags=["operations"])
    async def health(model_id: str | None = None) -> EndpointHealth | Health:
        """Health of the only endpoint, of the one that is named, or of all."""
        chosen = list(scoring.endpoints.values()) if model_id is None else [scoring.endpoint(model_id)]
        reports = [health_of(scoring.counters, endpoint) for endpoint in chosen]
        if len(reports) == 1:
            return reports[0]
        worst = "healthy" if reports and all(report.status == "healthy" for report in reports) else "degraded"
        return Health(status=worst if reports else "empty", endpoints=tuple(reports))

    @routes.get("/ready", tags=["operations"], responses={503: {"model": Readiness, "description": "Not ready."}})
    async def ready(response: Response) -> Readiness:
        """200 when the stable pool of every endpoint can answer; candidates are told, but do not matter."""
        endpoints = tuple(readiness_of(endpoint) for endpoint in scoring.endpoints.values())
        is_ready = bool(endpoints) and all(endpoint.ready for endpoint in endpoints)
        response.status_code = 200 if is_ready else 503
        return Readiness(status="ready" if is_ready else "not ready", endpoints=endpoints)

    @routes.get("/api/v1/models", tags=["models"])
    async def models() -> Models:
        """Every endpoint with its versions, weights, features and metrics."""
        return Models(models=tuple(served_model(endpoint) for endpoint in scoring.endpoints.values()))

    @routes.get("/api/v1/admin/figures", include_in_schema=False)
    async def figures() -> dict[str, Any]:
        """What this gateway counted of every version: for the controller, when the monitor is silent."""
        return dataclasses.replace(own_figures.snapshot_of(scoring), distributions={}).to_plain()

    return routes
