"""``/api/v1/models/reload``: handed over to the controller, which alone may change what is deployed."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
from fastapi import APIRouter, HTTPException, Request, Response

from deployments.contracts.errors import ControlUnavailable
from deployments.contracts.prediction import ProblemDocument
from deployments.contracts.status import Reloaded

PATH = "/api/v1/models/reload"
TIMEOUT_SECONDS = 60.0
_CARRIED = ("authorization", "x-api-key", "idempotency-key", "traceparent")
"""The controller looks at the caller's credential itself."""
_TOLD = ("content-type", "location", "retry-after", "www-authenticate")
_RESPONSES: dict[int | str, dict[str, Any]] = {
    202: {"model": Reloaded, "description": "It still runs; `GET` the location."},
    401: {"model": ProblemDocument, "description": "No valid credential."},
    403: {"model": ProblemDocument, "description": "The caller may not change traffic."},
    404: {"model": ProblemDocument, "description": "There was no such reload."},
    409: {"model": ProblemDocument, "description": "A version cannot be served; everything is as it was."},
    422: {"model": ProblemDocument, "description": "A header is not valid."},
    429: {"model": ProblemDocument, "description": "Too many requests."},
    503: {"model": ProblemDocument, "description": "It came no further, or the controller does not answer."},
}


def router(control_url: str, transport: httpx.AsyncBaseTransport | None = None) -> APIRouter:
    """The routes.

    Args:
        control_url: Base URL of the controller.
        transport: Takes the place of the network in tests.
    """
    routes = APIRouter(tags=["models"])
    controller = httpx.AsyncClient(base_url=control_url, timeout=TIMEOUT_SECONDS, transport=transport)

    @routes.post(PATH, response_model=Reloaded, responses=_RESPONSES)
    async def reload(request: Request) -> Response:
        """Serve what the registry's aliases name: new pools first, traffic when they are warm, the old go last."""
        return await _handed_over(controller, request, PATH)

    @routes.get(PATH + "/{reload_id}", response_model=Reloaded, responses=_RESPONSES)
    async def read(reload_id: str, request: Request) -> Response:
        """How far a reload is, or how it ended."""
        try:
            known = uuid.UUID(reload_id)
        except ValueError as error:
            raise HTTPException(404, f"there was no reload {reload_id!r}") from error
        return await _handed_over(controller, request, f"{PATH}/{known}")

    return routes


async def _handed_over(controller: httpx.AsyncClient, request: Request, path: str) -> Response:
    """The controller's answer to a request.

    Raises:
        ControlUnavailable: There is none.
    """
    # As bytes: httpx would refuse text that is not ASCII.
    headers = {
        name.encode(): request.headers[name].encode("latin-1") for name in _CARRIED if name in request.headers
    }
    try:
        answer = await controller.request(request.method, path, headers=headers)
    except httpx.TransportError as error:
        raise ControlUnavailable(type(error).__name__) from error
    told = {name: answer.headers[name] for name in _TOLD if name in answer.headers}
    return Response(answer.content, answer.status_code, told)
