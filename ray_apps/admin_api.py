"""The controller over HTTP: endpoints, rollouts, reloads, with the access table's roles. On this machine only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from typing import Annotated, Any

from fastapi import FastAPI, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.exceptions import HTTPException

from deployments.access.access import Access
from deployments.access.audit import Action, AuditEvent, Outcome
from deployments.access.caller import Caller
from deployments.contracts.errors import (
    DeployFailed,
    InvalidDocument,
    NothingToSwitchBack,
    RaygateError,
    TrafficNotApplied,
    UnknownEndpoint,
    UnknownVersion,
)
from deployments.contracts.model_version import Version
from deployments.contracts.prediction import ProblemDocument
from deployments.contracts.rollout_status import DecisionEntry, RolloutStatus
from deployments.contracts.traffic_policy import Frozen
from deployments.gateway.asgi import CALLER, Application, Guard
from deployments.gateway.problems import Code, Problem, http_problem, problem
from deployments.rollout import errors
from deployments.rollout.commands import Command
from deployments.rollout.reloads import Reloads
from deployments.rollout.rollout_series import RolloutSeries
from deployments.rollout.service import RolloutService
from deployments.rollout.sqlite_rollout_store import SqliteRolloutStore
from deployments.rollout.status import status_of
from ray_apps import endpoints_api, gateway_arguments, reload
from ray_apps.control import LocalControl
from ray_apps.endpoints_api import EndpointControl, SplitControl
from ray_apps.local.lock import exclusive
from ray_apps.local.places import Places
from ray_apps.registry_webhook import RegistryWebhook
from ray_apps.risk_tiers import risk_tiers
from ray_apps.settings import Settings

_ROLLOUT = "/api/v1/admin/endpoints/{endpoint}/rollout"
_CONFLICTS = (
    NothingToSwitchBack,
    errors.ApprovalRequired,
    errors.CommandRefused,
    errors.EndpointChanged,
    errors.OverrideNotPossible,
    errors.RolloutChanged,
    errors.RolloutNotPossible,
    errors.RolloutRunning,
)
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": ProblemDocument, "description": "The body cannot be read."},
    401: {"model": ProblemDocument, "description": "No valid credential."},
    403: {"model": ProblemDocument, "description": "The caller's role does not allow it."},
    404: {"model": ProblemDocument, "description": "No such endpoint, version, rollout or reload."},
    409: {"model": ProblemDocument, "description": "Not now: a rollout is in another state, or was changed."},
    422: {"model": ProblemDocument, "description": "The document or a parameter is not valid."},
    503: {"model": ProblemDocument, "description": "The stack does not follow."},
}
ACTIONS = {
    Command.PAUSE: Action.ROLLOUT_PAUSED,
    Command.RESUME: Action.ROLLOUT_RESUMED,
    Command.APPROVE: Action.ROLLOUT_APPROVED,
    Command.PROMOTE: Action.ROLLOUT_PROMOTED,
    Command.ABORT: Action.ROLLOUT_ABORTED,
    Command.ROLLBACK: Action.ROLLOUT_ROLLED_BACK,
}
"""How the audit names a command."""


class StartRequest(Frozen):
    """Which version is to earn traffic; None takes the only one beside stable."""

    version: Version | None = None


def local_service(settings: Settings) -> RolloutService:
    """Rollouts of the local stack."""
    lock_file = Places(settings.state).lock_file
    store = SqliteRolloutStore(settings.control_database)
    return RolloutService(
        store, lambda: datetime.now(UTC), risk_tiers(settings), lambda: exclusive(lock_file, wait=True)
    )


def build(settings: Settings, look_at_registry: Callable[[], None]) -> Application:
    """The admin API of the local stack.

    Args:
        settings: Of its controller.
        look_at_registry: Asks the controller for a look at the aliases; returns at once.
    """
    lock_file = Places(settings.state).lock_file
    access = Access.open(gateway_arguments.access_policy(settings))
    control, reloads = LocalControl(settings), reload.local_reloads(settings)
    alone = partial(exclusive, lock_file, wait=True, gives_way=True)
    api = guarded(local_service(settings), control, access, alone, reloads, settings.environment)
    if settings.registry_secret is None:
        return api
    return RegistryWebhook(api, settings.registry_secret, look_at_registry)


def guarded(
    service: RolloutService,
    control: EndpointControl | None,
    access: Access,
    alone: endpoints_api.Alone = nullcontext,
    reloads: Reloads | None = None,
    environment: str = "local",
    overrides: SplitControl | None = None,
) -> Application:
    """The admin API, behind access control.

    Args:
        service: Does what is asked of rollouts.
        control: Does what is asked of endpoints; None where they are resources of Kubernetes.
        access: Lets callers in; started and closed with the application.
        alone: Held while an endpoint is changed.
        reloads: Reloads models, if anybody can; started and closed too.
        environment: Value of the ``environment`` label of the series.
        overrides: Overrides splits where ``control`` is None.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(access.start)
        if reloads is not None:
            await run_in_threadpool(reloads.go_on)
        yield
        if reloads is not None:
            reloads.close()
        access.close()

    app = FastAPI(
        title="Raygate controller", version=metadata.version("raygate"), lifespan=lifespan, responses=_PROBLEMS
    )
    _answer_problems(app)
    _add_routes(app, service, access)
    app.include_router(endpoints_api.reading(service.endpoints))
    audited, splits = partial(_audited, access), control or overrides
    if splits is not None:
        app.include_router(endpoints_api.overriding(splits, audited, alone))
    if control is not None:
        app.include_router(endpoints_api.router(control, audited, alone))
    if reloads is not None:
        app.include_router(reload.router(reloads, access))
    _add_series(app, RolloutSeries(service.rollouts, environment).registry())
    return Guard(app, access)


def _add_routes(app: FastAPI, service: RolloutService, access: Access) -> None:
    @app.get("/ready")
    def ready() -> dict[str, str]:
        """200 as soon as commands are taken."""
        return {"status": "ready"}

    @app.get(_ROLLOUT)
    def read(endpoint: str) -> RolloutStatus:
        """The latest rollout of an endpoint."""
        return status_of(service.latest(endpoint))

    @app.get("/api/v1/admin/endpoints/{endpoint}/history")
    def history(endpoint: str) -> list[DecisionEntry]:
        """Every decision on an endpoint, the oldest first."""
        return [
            DecisionEntry(at=made.at, action=made.action, policy_epoch=made.policy_epoch, detail=made.detail)
            for made in service.history(endpoint)
        ]

    @app.post(_ROLLOUT, status_code=201)
    def start(endpoint: str, asked: StartRequest, request: Request) -> RolloutStatus:
        """Begin a rollout by the plan of the endpoint's file."""
        caller: Caller = request.scope[CALLER]
        with _audited(access, caller, Action.ROLLOUT_STARTED, endpoint):
            return status_of(service.start(endpoint, asked.version, caller.name))

    for command, action in ACTIONS.items():
        _add_command(app, service, access, command, action)


def _add_series(app: FastAPI, registry: CollectorRegistry) -> None:
    @app.get("/api/v1/admin/metrics", response_class=PlainTextResponse)
    def series(accept: Annotated[str, Header()] = "") -> Response:
        """Rollouts as Prometheus reads them."""
        encode, content_type = choose_encoder(accept)
        return Response(encode(registry), media_type=content_type)


def _add_command(app: FastAPI, service: RolloutService, access: Access, command: Command, action: Action) -> None:
    @app.post(f"{_ROLLOUT}/{command}", name=command)
    def obey(endpoint: str, request: Request) -> RolloutStatus:
        caller: Caller = request.scope[CALLER]
        with _audited(access, caller, action, endpoint):
            return status_of(service.obey(endpoint, command, caller.name))


@contextmanager
def _audited(access: Access, caller: Caller, action: Action, endpoint: str) -> Iterator[None]:
    """Put what happens inside into the audit, however it ends."""
    outcome, detail = Outcome.DONE, dict[str, object]()
    try:
        yield
    except Exception as error:
        reason = str(error) if isinstance(error, RaygateError) else type(error).__name__
        outcome, detail = Outcome.FAILED, {"reason": reason}
        raise
    finally:
        subject, now = f"endpoint/{endpoint}", datetime.now(UTC)
        access.record(AuditEvent(now, caller.name, caller.credential, action, subject, outcome, detail))


def _answer_problems(app: FastAPI) -> None:
    @app.exception_handler(RaygateError)
    async def of_raygate(request: Request, error: RaygateError) -> JSONResponse:
        told = _problem(error)
        return JSONResponse(told.document(), told.status, told.headers())

    @app.exception_handler(HTTPException)
    async def of_framework(request: Request, error: HTTPException) -> JSONResponse:
        told = http_problem(error.status_code, str(error.detail))
        return JSONResponse(told.document(), told.status, {**told.headers(), **(error.headers or {})})

    @app.exception_handler(RequestValidationError)
    async def of_parameters(request: Request, error: RequestValidationError) -> JSONResponse:
        details = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        told = Problem(422, Code.VALIDATION_ERROR, "a parameter is not valid", details)
        return JSONResponse(told.document(), told.status)


def _problem(error: RaygateError) -> Problem:
    if isinstance(error, _CONFLICTS):
        return Problem(409, Code.CONFLICT, "not now", str(error))
    if isinstance(error, InvalidDocument):
        return Problem(422, Code.VALIDATION_ERROR, "the document is not valid", str(error))
    if isinstance(error, DeployFailed | TrafficNotApplied):
        return Problem(503, Code.MODEL_UNAVAILABLE, "the stack does not follow", str(error), retry_after=5)
    if isinstance(error, errors.ReloadUnfinished):
        return Problem(503, Code.CONTROL_UNAVAILABLE, "the reload is not done", str(error), retry_after=5)
    if isinstance(error, errors.ReloadFailed):
        return Problem(409, Code.CONFLICT, "the models were not reloaded", str(error))
    if isinstance(error, errors.NoRollout | errors.UnknownReload | UnknownEndpoint | UnknownVersion):
        return Problem(404, Code.NOT_FOUND, "not found", str(error))
    return problem(error)
