"""Retraining where endpoints are resources: what it reads of their controller, and the one thing it asks for."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from role_callers import ByName, Recorder
from rollout_examples import NAME, NOON, V1, V2, World

from deployments.access.access import Access
from deployments.contracts.errors import UnknownEndpoint
from deployments.contracts.model_version import ModelVersion, Version
from deployments.rollout import policy
from ray_apps.admin_api import guarded
from ray_apps.remote_controller import ControllerRefused, ControllerSilent
from ray_apps.retraining.admin_serving import AdminServing
from ray_apps.retraining.ports import CanaryState
from ray_apps.retraining.run import Trigger, TriggerKind, begun

V9 = Version(9, 0, 0)
FIGURES = 'ml_labelled_rows{model="credit_risk",version="1.0.0",environment="prod"} 812\n'


class Cluster(httpx.BaseTransport):
    """A controller without routes that change endpoints, as on Kubernetes, and a monitor."""

    def __init__(self, world):
        self.api, self.away = guarded(world.service, None, Access(ByName(), audit=Recorder())), False

    def handle_request(self, request):
        if self.away:
            raise httpx.ConnectError("refused")
        if request.url.host == "monitor":
            return httpx.Response(200, text=FIGURES)

        async def exchange():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=self.api)) as client:
                headers = {
                    name: request.headers[name]
                    for name in ("authorization", "content-type")
                    if name in request.headers
                }
                return await client.request(request.method, request.url, headers=headers, content=request.read())

        answer = asyncio.run(exchange())
        return httpx.Response(
            answer.status_code, content=answer.content, headers={"content-type": "application/json"}
        )


@pytest.fixture
def world():
    return World.with_plan("steps: [{weight: 10}]")


@pytest.fixture
def cluster(world):
    return Cluster(world)


@pytest.fixture
def serving(cluster, tmp_path):
    def make(role="operator"):
        log = str(tmp_path / "log")
        return AdminServing("http://controller:8001", "http://monitor/metrics", log, role, cluster)

    return make


def won(challenger=V2, champion=V1):
    trigger = Trigger(kind=TriggerKind.PERSON, text="asked for")
    run = begun(NAME, "credit_risk", champion, trigger, "ada", NOON - timedelta(minutes=5))
    return run.model_copy(update={"challenger": challenger})


def test_it_knows_what_is_stable_and_what_the_monitor_says(serving):
    stable = serving("viewer").stable(NAME)
    assert stable == ModelVersion("credit_risk", V1)
    assert serving().evidence(stable).labelled == 812
    assert serving().labelled(NAME, NOON) == 0
    with pytest.raises(UnknownEndpoint, match="credit-risk"):
        serving().stable("churn")


def test_the_canary_begins_once_however_often_it_is_asked_for(serving, world):
    first, second = serving().begin_canary(won()), serving().begin_canary(won())
    assert first.state is CanaryState.BEGUN
    assert first == second
    assert (first.text, world.rollout.started_by) == (world.rollout.name, "the operator")


def test_it_waits_until_the_owner_has_added_the_challenger(serving):
    answer = serving().begin_canary(won(V9))
    assert answer.state is CanaryState.WAITING
    assert "add `{version: 9.0.0, role: candidate}` to its versions" in answer.text


def test_it_waits_for_another_rollout(serving, world):
    world.service.start(NAME, V2, "ada")
    later = won().model_copy(update={"started": NOON + timedelta(hours=1)})
    assert serving().begin_canary(later).state is CanaryState.WAITING


def test_it_does_not_begin_against_another_champion(serving, world):
    served = world.store.wanted[NAME]
    made = policy.with_weights(served.policy, {V2: 100.0}, 9).model_copy(update={"stable": V2})
    world.store.wanted[NAME] = replace(served, policy=made)
    answer = serving().begin_canary(won(V2))
    assert answer.state is CanaryState.OUTDATED
    assert "1.1.0 is stable now" in answer.text


@pytest.mark.parametrize("role", ["viewer", "approver"])
def test_a_key_that_may_not_change_traffic_is_told_by_name(serving, role):
    with pytest.raises(ControllerRefused, match="may not change traffic"):
        serving(role).begin_canary(won())


def test_a_controller_that_is_away_is_told_and_a_monitor_only_leaves_the_interval(serving, cluster):
    cluster.away = True
    assert serving().evidence(ModelVersion("credit_risk", V1)) is None
    with pytest.raises(ControllerSilent, match="http://controller:8001 does not answer: refused"):
        serving().stable(NAME)
