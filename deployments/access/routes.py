"""Every route of the gateway and what it takes to use it: the one table. What it does not list is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from deployments.access.errors import UnlistedRoute
from deployments.access.roles import Permission

_SEGMENT = "[^/]+"


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path.

    Attributes:
        path: ``{...}`` stands for one segment.
    """

    method: str
    path: str
    permission: Permission
    pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        text = re.sub(r"\\\{[^/]+?\\\}", _SEGMENT, re.escape(self.path))
        object.__setattr__(self, "pattern", re.compile(text))


TABLE = (
    Route("POST", "/api/v1/predict", Permission.PREDICT),
    Route("POST", "/predict", Permission.PREDICT),
    Route("POST", "/predict/ab", Permission.PREDICT),
    Route("POST", "/api/v1/batch-predict", Permission.SCORE_BATCHES),
    Route("GET", "/api/v1/batch-predict/{job_id}", Permission.SCORE_BATCHES),
    Route("POST", "/api/v1/feedback", Permission.SEND_FEEDBACK),
    Route("GET", "/api/v1/models", Permission.READ_MODELS),
    Route("POST", "/api/v1/models/reload", Permission.CHANGE_TRAFFIC),
    Route("GET", "/api/v1/models/reload/{reload_id}", Permission.CHANGE_TRAFFIC),
    Route("GET", "/health", Permission.CHECK_HEALTH),
    Route("GET", "/ready", Permission.CHECK_HEALTH),
    Route("GET", "/docs", Permission.READ_DOCUMENTATION),
    Route("GET", "/docs/oauth2-redirect", Permission.READ_DOCUMENTATION),
    Route("GET", "/docs/static/{file}", Permission.READ_DOCUMENTATION),
    Route("GET", "/openapi.json", Permission.READ_DOCUMENTATION),
    Route("GET", "/v2/health/live", Permission.CHECK_HEALTH),
    Route("GET", "/v2/health/ready", Permission.CHECK_HEALTH),
    Route("GET", "/v2", Permission.READ_MODELS),
    Route("GET", "/v2/models/{model}", Permission.READ_MODELS),
    Route("GET", "/v2/models/{model}/ready", Permission.CHECK_HEALTH),
    Route("POST", "/v2/models/{model}/infer", Permission.PREDICT),
    Route("GET", "/v2/models/{model}/versions/{version}", Permission.READ_MODELS),
    Route("GET", "/v2/models/{model}/versions/{version}/ready", Permission.CHECK_HEALTH),
    Route("POST", "/v2/models/{model}/versions/{version}/infer", Permission.PIN_VERSION),
    Route("GET", "/api/v1/admin/endpoints", Permission.READ_HEALTH_DETAILS),
    Route("GET", "/api/v1/admin/endpoints/{endpoint}", Permission.READ_HEALTH_DETAILS),
    Route("PUT", "/api/v1/admin/endpoints/{endpoint}", Permission.CHANGE_TRAFFIC),
    Route("DELETE", "/api/v1/admin/endpoints/{endpoint}", Permission.CHANGE_TRAFFIC),
    Route("PUT", "/api/v1/admin/endpoints/{endpoint}/traffic", Permission.CHANGE_TRAFFIC),
    Route("POST", "/api/v1/admin/endpoints/{endpoint}/switch", Permission.CHANGE_TRAFFIC),
    Route("GET", "/api/v1/admin/endpoints/{endpoint}/rollout", Permission.READ_MODELS),
    Route("POST", "/api/v1/admin/endpoints/{endpoint}/rollout", Permission.CHANGE_TRAFFIC),
    Route("POST", "/api/v1/admin/endpoints/{endpoint}/rollout/pause", Permission.CHANGE_TRAFFIC),
    Route("POST", "/api/v1/admin/endpoints/{endpoint}/rollout/resume", Permission.CHANGE_TRAFFIC),
    Route("POST", "/api/v1/admin/endpoints/{endpoint}/rollout/promote", Permission.CHANGE_TRAFFIC),
    Route("POST", "/api/v1/admin/endpoints/{endpoint}/rollout/abort", Permission.CHANGE_TRAFFIC),
    Route("POST", "/api/v1/admin/endpoints/{endpoint}/rollout/rollback", Permission.CHANGE_TRAFFIC),
    Route("POST", "/api/v1/admin/endpoints/{endpoint}/rollout/approve", Permission.APPROVE),
    Route("GET", "/api/v1/admin/endpoints/{endpoint}/history", Permission.READ_AUDIT),
    Route("GET", "/api/v1/admin/metrics", Permission.READ_HEALTH_DETAILS),
    Route("GET", "/api/v1/admin/figures", Permission.READ_HEALTH_DETAILS),
    Route("GET", "/api/v1/admin/predictions/{prediction_id}", Permission.READ_LOG),
    Route("GET", "/api/v1/admin/audit", Permission.READ_AUDIT),
    Route("GET", "/api/v1/admin/keys", Permission.MANAGE_KEYS),
    Route("POST", "/api/v1/admin/keys", Permission.MANAGE_KEYS),
    Route("POST", "/api/v1/admin/keys/{key_id}/rotation", Permission.MANAGE_KEYS),
    Route("DELETE", "/api/v1/admin/keys/{key_id}", Permission.MANAGE_KEYS),
)
"""Routes under /api/v1/admin are reserved: their permission is decided before they exist."""

_FIXED = {(route.method, route.path): route.permission for route in TABLE if "{" not in route.path}


def permission_for(method: str, path: str) -> Permission:
    """What it takes to send a request.

    Args:
        method: In capitals; HEAD is taken as GET.
        path: As the ASGI scope has it: decoded, without the query.

    Raises:
        UnlistedRoute: The table does not have it.
    """
    method = "GET" if method == "HEAD" else method
    found = _FIXED.get((method, path))
    if found is not None:
        return found
    matching = [route for route in TABLE if route.pattern.fullmatch(path)]
    for route in matching:
        if route.method == method:
            return route.permission
    raise UnlistedRoute(method, path, tuple(sorted({route.method for route in matching})))
