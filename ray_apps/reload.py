"""Reloading models of the local stack, and the controller's routes for it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from deployments.access.access import Access
from deployments.access.audit import Action, AuditEvent, Outcome
from deployments.access.caller import Caller
from deployments.contracts.prediction import ProblemDocument
from deployments.contracts.status import Reloaded
from deployments.gateway.asgi import CALLER
from deployments.rollout.endpoint_store import EndpointStore
from deployments.rollout.errors import ReloadFailed, ReloadUnfinished
from deployments.rollout.reload import Reload
from deployments.rollout.reloads import ReloadRecord, Reloads, ReloadState
from ray_apps.admission import Admission
from ray_apps.champion_alias import MlflowRegistry
from ray_apps.control import local_applier
from ray_apps.local.lock import exclusive
from ray_apps.local.places import Places
from ray_apps.settings import Settings

PATH = "/api/v1/models/reload"
PATIENCE_SECONDS = 25.0
"""How long a caller's request is held; proxies commonly cut one at 30 s or later."""
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: {"model": ProblemDocument, "description": "There was no such reload."},
    409: {"model": ProblemDocument, "description": "A version cannot be served; everything is as it was."},
    503: {"model": ProblemDocument, "description": "It came no further; asked for again it goes on."},
}


def local_reloads(settings: Settings) -> Reloads:
    """The reloads of the local stack."""
    store = EndpointStore(settings.control_database)
    reload = Reload(
        store=store,
        admission=Admission(settings, store),
        registry=MlflowRegistry(settings.mlflow_uri),
        applier=local_applier(settings),
        clock=lambda: datetime.now(UTC),
        alone=lambda: exclusive(Places(settings.state).lock_file, wait=True, gives_way=True),
    )
    return Reloads(
        settings.control_database,
        lambda actor: reload.run(actor, lambda message: None),
        lambda: datetime.now(UTC),
    )


def router(reloads: Reloads, access: Access) -> APIRouter:
    """The routes.

    Args:
        reloads: Does them.
        access: Writes the audit.
    """
    routes = APIRouter(tags=["models"])
    reloads.told = partial(_audit, access)

    @routes.post(PATH, responses=_PROBLEMS, response_model_exclude_none=True)
    def ask(
        request: Request,
        response: Response,
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
    ) -> Reloaded:
        """Serve what the registry's aliases name; 202 where it takes long."""
        caller: Caller = request.scope[CALLER]
        asked = reloads.ask(caller.name, idempotency_key, caller.credential)
        record = reloads.wait(asked.id, PATIENCE_SECONDS)
        location = f"{PATH}/{record.id}"
        if record.may_pass:
            raise ReloadUnfinished(record.id, record.reason)
        if record.status is ReloadState.FAILED:
            raise ReloadFailed(record.id, record.reason)
        response.headers["location"] = location
        if record.status is ReloadState.RUNNING:
            response.status_code = 202
            return Reloaded(status=record.status, reload_id=record.id)
        return Reloaded(status=record.status, versions=record.versions)

    @routes.get(PATH + "/{reload_id}", responses=_PROBLEMS, response_model_exclude_none=True)
    def read(reload_id: str) -> Reloaded:
        """How far a reload is, or how it ended."""
        record = reloads.get(reload_id)
        return Reloaded(
            status=record.status, versions=record.versions, reload_id=record.id, reason=record.reason or None
        )

    return routes


def _audit(access: Access, record: ReloadRecord) -> None:
    """Put a reload that has ended into the audit."""
    outcome = Outcome.FAILED if record.status is ReloadState.FAILED else Outcome.DONE
    detail = {"status": record.status.value, "versions": record.versions, "reason": record.reason}
    subject = f"reload/{record.id}"
    access.record(
        AuditEvent(
            datetime.now(UTC), record.actor, record.credential, Action.MODELS_RELOADED, subject, outcome, detail
        )
    )
