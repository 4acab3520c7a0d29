"""MLflow tells that an alias moved: nobody waits for the next look at the registry."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from deployments.contracts.errors import BodyTooLarge, RaygateError
from deployments.contracts.model_version import CHALLENGER
from deployments.contracts.secret_reference import resolve
from deployments.gateway.asgi import Application, send_problem
from deployments.rollout import registry_events

PATH = "/api/v1/registry/events"
_BODY_BYTES = 64 * 1024
_log = logging.getLogger("raygate.controller")


class RegistryWebhook:
    """Takes MLflow's webhooks itself and hands everything else to the application behind.

    MLflow sends no credential but a signature, so it stands before access control. A message moves nothing by
    itself: it asks for a look at the registry, now instead of in some seconds. So one that comes twice, or is
    about a model that nobody serves, does no harm.

    Args:
        behind: Everything else.
        secret: Reference to the secret that MLflow signs with; read at each message, so it can be rotated.
        look: Asks for a look at the registry; returns at once.
        now: Unix time.
    """

    def __init__(
        self, behind: Application, secret: str, look: Callable[[], None], now: Callable[[], float] = time.time
    ) -> None:
        self._behind, self._secret, self._look, self._now = behind, secret, look, now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch on method and path."""
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", PATH):
            await self._behind(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            looks = self._take(request, await _body(request))
        except ClientDisconnect:
            return
        except RaygateError as error:
            _log.warning("a webhook of the registry was refused: %s", error)
            await send_problem(send, error)
            return
        await JSONResponse({"looks": looks}, 202)(scope, receive, send)

    def _take(self, request: Request, body: bytes) -> bool:
        registry_events.check_signature(resolve(self._secret), request.headers, body, self._now())
        moved = registry_events.moved_alias(body)
        if moved is None or moved.alias != CHALLENGER:
            return False
        _log.info("the registry tells that the %s of %s moved", moved.alias, moved.model)
        self._look()
        return True


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_BYTES:
            raise BodyTooLarge(_BODY_BYTES)
    return bytes(body)
