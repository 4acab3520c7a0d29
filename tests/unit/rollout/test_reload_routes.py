"""Reloading over HTTP: through the gateway, which only hands over, to the controller, which decides."""

import asyncio
import threading
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from role_callers import ByName, Recorder
from rollout_examples import World

from deployments.access.access import Access
from deployments.contracts.errors import DeployFailed, TrafficNotApplied
from deployments.gateway import app as gateway_app
from deployments.gateway import control
from deployments.rollout.errors import RegistryUnavailable
from deployments.rollout.reloads import Reloads
from ray_apps import reload
from ray_apps.admin_api import guarded

PATH = "/api/v1/models/reload"


class Models:
    """A reload that does what a test wants."""

    def __init__(self):
        self.problem, self.may_end = None, threading.Event()
        self.may_end.set()

    def run(self, actor):
        self.may_end.wait(20)
        if self.problem is not None:
            raise self.problem
        return {"auto": "1.1.0", "home": "1.0.0"}


@pytest.fixture
def models():
    return Models()


@pytest.fixture
def audit():
    return Recorder()


@pytest.fixture
def controller(models, audit, tmp_path, monkeypatch):
    monkeypatch.setattr(reload, "PATIENCE_SECONDS", 0.2)
    reloads = Reloads(tmp_path / "endpoints.db", models.run, lambda: datetime.now(UTC))
    yield guarded(World.with_plan().service, None, Access(ByName(), audit=audit), reloads=reloads)
    models.may_end.set()


@pytest.fixture
def ask(controller):
    gateway = FastAPI()
    gateway_app._answer_problems(gateway)
    gateway.include_router(control.router("http://controller", httpx.ASGITransport(app=controller)))

    def send(method, path=PATH, role="operator", **headers):
        async def exchange():
            transport = httpx.ASGITransport(app=gateway)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
                return await client.request(method, path, headers={"authorization": f"Bearer {role}", **headers})

        return asyncio.run(exchange())

    return send


def test_a_reload_answers_the_versions_and_nothing_else(ask):
    answer = ask("POST")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "success", "versions": {"auto": "1.1.0", "home": "1.0.0"}},
    )
    again = ask("GET", answer.headers["location"])
    assert again.json() == {**answer.json(), "reload_id": answer.headers["location"].rpartition("/")[2]}


def test_a_long_reload_is_asked_about_until_it_ends(ask, models):
    models.may_end.clear()
    answer = ask("POST", **{"idempotency-key": "monday"})
    assert (answer.status_code, answer.json()["status"]) == (202, "running")
    models.may_end.set()
    ended = ask("POST", **{"idempotency-key": "monday"})
    assert (ended.status_code, ended.headers["location"]) == (200, answer.headers["location"])


def test_a_version_that_cannot_be_served_is_told_with_its_reason(ask, models, audit):
    models.problem = DeployFailed("lead_auto_v1.1.0", "no such package")
    answer = ask("POST")
    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    assert answer.json()["details"] == "lead_auto_v1.1.0 did not come up: no such package"
    (event,) = audit.log.events
    assert (event.action.value, event.outcome.value, event.actor) == ("models.reloaded", "failed", "the operator")


@pytest.mark.parametrize(
    "problem",
    [
        pytest.param(TrafficNotApplied("the gateways did not follow"), id="decided-and-not-in-force"),
        pytest.param(RegistryUnavailable("say what champion is", "timed out"), id="registry-away"),
    ],
)
def test_a_reload_that_came_no_further_goes_on_when_it_is_asked_for_again(ask, models, problem):
    models.problem = problem
    answer = ask("POST", **{"idempotency-key": "monday"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["details"] == str(problem)
    models.problem = None
    assert ask("POST", **{"idempotency-key": "monday"}).json()["status"] == "success"


def test_the_audit_has_a_reload_when_it_has_ended_and_once(ask, models, audit):
    models.may_end.clear()
    ask("POST", **{"idempotency-key": "monday"})
    assert audit.log.events == []
    models.may_end.set()
    ask("POST", **{"idempotency-key": "monday"})
    ask("POST", **{"idempotency-key": "monday"})
    (event,) = audit.log.events
    assert (event.outcome.value, event.detail["status"]) == ("done", "success")
    assert (event.actor, event.credential) == ("the operator", "key:1")


@pytest.mark.parametrize("role", ["viewer", "predictor", "approver"])
def test_only_who_may_change_traffic_reloads(ask, role):
    assert ask("POST", role=role).status_code == 403


@pytest.mark.parametrize(
    "reload_id",
    [
        pytest.param("5f7c3f4e-6f0a-4b7e-9d55-0d1c6a1b8f2e", id="never-asked-for"),
        pytest.param("nothing", id="no-id"),
        pytest.param("%00%7F", id="not-printable"),
        pytest.param("%C3%A9%F0%9F%92%A5", id="not-ascii"),
        pytest.param("..", id="another-path"),
    ],
)
def test_an_unknown_reload_is_none(ask, reload_id):
    assert ask("GET", f"{PATH}/{reload_id}").status_code == 404


@pytest.mark.parametrize("header", ["idempotency-key", "traceparent"])
@pytest.mark.parametrize("value", [b"caf\xe9", b"\xff\xfe"], ids=["latin", "bytes"])
def test_odd_headers_are_handed_over(ask, header, value):
    assert ask("POST", **{header: value}).status_code == 200


def test_every_answer_of_the_controller_is_documented():
    gateway = FastAPI()
    gateway.include_router(control.router("http://controller"))
    for operations in gateway.openapi()["paths"].values():
        for operation in operations.values():
            assert {"200", "202", "401", "403", "404", "409", "422", "429", "503"} <= set(operation["responses"])


def test_without_its_controller_a_gateway_says_so():
    def unreachable(request):
        raise httpx.ConnectError("refused")

    gateway = FastAPI()
    gateway_app._answer_problems(gateway)
    gateway.include_router(control.router("http://controller", httpx.MockTransport(unreachable)))

    async def exchange():
        transport = httpx.ASGITransport(app=gateway)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.post(PATH)

    answer = asyncio.run(exchange())
    assert (answer.status_code, answer.json()["code"]) == (503, "CONTROL_UNAVAILABLE")
    assert answer.headers["retry-after"] == "5"
