"""Splits that somebody overrides by hand, on any of the controller's pods."""

import asyncio

import httpx
import pytest
from kubernetes_namespace import endpoint
from role_callers import ByName, Recorder

from deployments.access.access import Access
from deployments.contracts.errors import NothingToSwitchBack, TrafficNotApplied, UnknownEndpoint, UnknownVersion
from deployments.contracts.model_version import Version
from deployments.contracts.package import RiskTier
from deployments.rollout.errors import (
    ApprovalRequired,
    EndpointChanged,
    OverrideNotPossible,
    RolloutRunning,
)
from ray_apps.admin_api import guarded

NAME = "credit-risk"
STABLE, CANDIDATE = Version(1, 0, 0), Version(1, 1, 0)
HALVES = {STABLE: 50.0, CANDIDATE: 50.0}


def apply(namespace, **changes):
    namespace.api.apply("modelendpoints", endpoint(**changes), "kubectl", force=True)


@pytest.fixture
def serving(namespace, operator):
    apply(namespace)
    operator.look(3)
    return operator


def test_an_override_is_in_force_with_the_next_look(namespace, serving):
    serving.overrides.set_traffic(NAME, HALVES)
    serving.look()
    assert namespace.weights() == {"1.0.0": 50, "1.1.0": 50}
    status = namespace.api.get("modelendpoints", NAME)["status"]
    assert (status["traffic"], status["decisions"][-1]["action"]) == ("1.0.0=50 1.1.0=50", "traffic")
    assert namespace.condition(NAME, "Ready") == ("True", "InForce")
    assert ("Traffic", "Normal", NAME) in namespace.events()


def test_a_pod_that_does_not_lead_takes_an_override_and_the_leader_applies_it(namespace, serving, start):
    follower = start("follower")
    follower.catch_up()
    puts = len(namespace.serve.puts)
    follower.overrides.set_traffic(NAME, HALVES)
    assert len(namespace.serve.puts) == puts
    serving.look()
    assert namespace.weights() == {"1.0.0": 50, "1.1.0": 50}


def test_an_override_survives_the_controller_that_took_it(namespace, serving, start):
    serving.overrides.set_traffic(NAME, HALVES)
    serving.kill()
    second = start("second")
    second.catch_up()
    second.leadership.attempt()
    namespace.pass_time(16)
    second.look(3)
    assert namespace.weights() == {"1.0.0": 50, "1.1.0": 50}


def test_an_override_stays_when_the_unchanged_document_is_applied_and_goes_with_another(namespace, serving):
    serving.overrides.set_traffic(NAME, HALVES)
    apply(namespace)
    serving.look(12)
    assert namespace.weights() == {"1.0.0": 50, "1.1.0": 50}
    apply(namespace, split={"stable": 80, "candidate": 20})
    serving.look(3)
    assert namespace.weights() == {"1.0.0": 80, "1.1.0": 20}


def test_an_override_waits_for_no_document_that_is_refused(namespace, serving):
    apply(namespace, versions=("1.0.0", "3.0.0"))
    serving.look(2)
    assert namespace.condition(NAME, "Accepted") == ("False", "InvalidDocument")
    serving.overrides.switch(NAME, CANDIDATE)
    serving.look()
    assert namespace.weights() == {"1.1.0": 100}


def test_an_override_waits_for_no_pool_of_another_document_which_takes_its_place(namespace, serving):
    namespace.serve.asleep.add("credit_risk_v1.2.0")
    apply(namespace, versions=("1.0.0", "1.1.0", "1.2.0"))
    serving.look(2)
    assert namespace.condition(NAME, "Progressing") == ("True", "WaitingForPools")
    serving.overrides.switch(NAME, CANDIDATE)
    puts = len(namespace.serve.puts)
    serving.look()
    assert namespace.weights() == {"1.1.0": 100}
    for put in namespace.serve.puts[puts:]:
        assert "credit_risk_v1.2.0" in {application["name"] for application in put["applications"]}
    namespace.serve.asleep.clear()
    serving.look(2)
    assert namespace.weights() == {"1.0.0": 100}


def test_all_traffic_is_switched_at_once_and_back_to_what_was_before(namespace, serving):
    serving.overrides.set_traffic(NAME, {STABLE: 90.0, CANDIDATE: 10.0})
    serving.look()
    serving.overrides.switch(NAME, CANDIDATE)
    serving.look()
    assert namespace.weights() == {"1.1.0": 100}
    assert serving.overrides.switch_back(NAME) == {STABLE: 90.0, CANDIDATE: 10.0}
    serving.look()
    assert namespace.weights() == {"1.0.0": 90, "1.1.0": 10}


def test_another_pod_after_a_restart_knows_the_way_back(namespace, serving, start):
    serving.overrides.switch(NAME, CANDIDATE)
    serving.look()
    serving.kill()
    second = start("second")
    second.catch_up()
    assert second.overrides.switch_back(NAME) == {STABLE: 100.0}


def test_what_was_never_switched_cannot_be_switched_back(serving):
    with pytest.raises(NothingToSwitchBack):
        serving.overrides.switch_back(NAME)


@pytest.mark.parametrize(
    ("name", "weights", "error"),
    [
        pytest.param("nobody", {STABLE: 100.0}, UnknownEndpoint, id="unknown-endpoint"),
        pytest.param(NAME, {Version(9, 9, 9): 100.0}, UnknownVersion, id="unknown-version"),
        pytest.param(NAME, {STABLE: 50.0}, ValueError, id="half-a-split"),
    ],
)
def test_what_cannot_be_a_split_is_refused_and_not_written(namespace, serving, name, weights, error):
    before = namespace.api.get("modelendpoints", NAME)["status"]
    with pytest.raises(error):
        serving.overrides.set_traffic(name, weights)
    assert namespace.api.get("modelendpoints", NAME)["status"] == before


def test_while_a_rollout_moves_the_weights_nobody_else_does(serving):
    serving.service.start(NAME, None, "ann")
    with pytest.raises(RolloutRunning):
        serving.overrides.set_traffic(NAME, HALVES)


def test_a_version_of_high_risk_gets_no_request_that_nobody_approved(serving):
    serving.risk = RiskTier.HIGH
    with pytest.raises(ApprovalRequired):
        serving.overrides.switch(NAME, CANDIDATE)


def test_a_pool_that_does_not_run_gets_no_traffic_and_nothing_is_written(namespace, serving):
    namespace.serve.broken["credit_risk_v1.1.0"] = "out of memory"
    with pytest.raises(TrafficNotApplied, match=r"credit_risk_v1\.1\.0"):
        serving.overrides.switch(NAME, CANDIDATE)
    assert [made.action for made in serving.service.history(NAME)] == ["apply"]


def test_a_version_that_sleeps_is_not_given_weight_before_it_is_up(namespace, operator):
    made = endpoint()
    made["spec"]["versions"][1]["scaling"] = {"minReplicas": 0, "maxReplicas": 4}
    namespace.api.apply("modelendpoints", made, "kubectl")
    operator.look(3)
    with pytest.raises(OverrideNotPossible, match=r"1\.1\.0 may sleep"):
        operator.overrides.switch(NAME, CANDIDATE)


def test_an_override_that_was_decided_on_old_facts_is_decided_anew(namespace, serving):
    stale = namespace.api.get("modelendpoints", NAME)
    serving.kill()  # its watch ends with the next event
    namespace.api.merge("modelendpoints", NAME, {"metadata": {"labels": {"team": "credit"}}})
    serving.catch_up()
    serving.watch._known[NAME] = stale
    serving.overrides.set_traffic(NAME, HALVES)
    stored = namespace.api.get("modelendpoints", NAME)
    assert (stored["status"]["traffic"], stored["metadata"]["labels"]) == ("1.0.0=50 1.1.0=50", {"team": "credit"})


def test_an_override_of_an_endpoint_that_is_another_by_now_is_refused(serving):
    before = serving.store.endpoints()[NAME]
    serving.overrides.set_traffic(NAME, HALVES)
    with pytest.raises(EndpointChanged):
        serving.store.override(before, before, serving.service.history(NAME)[-1])


@pytest.fixture
def audit():
    return Recorder()


@pytest.fixture
def ask(serving, audit):
    """Ask a pod over HTTP."""
    api = guarded(serving.service, None, Access(ByName(), audit=audit), overrides=serving.overrides)

    def send(method, path, body, role="operator"):
        async def exchange():
            transport = httpx.ASGITransport(app=api)
            async with httpx.AsyncClient(transport=transport, base_url="http://controller") as client:
                headers = {"authorization": f"Bearer {role}"}
                return await client.request(
                    method, f"/api/v1/admin/endpoints/{NAME}{path}", json=body, headers=headers
                )

        return asyncio.run(exchange())

    return send


def test_the_routes_of_a_laptop_override_and_switch_and_are_audited(namespace, serving, ask, audit):
    changed = ask("PUT", "/traffic", {"weights": {"1.0.0": 50, "1.1.0": 50}})
    assert (changed.status_code, changed.json()["weights"]) == (200, {"1.0.0": 50, "1.1.0": 50})
    assert ask("POST", "/switch", {"version": "1.1.0"}).json()["weights"] == {"1.0.0": 0, "1.1.0": 100}
    assert ask("POST", "/switch", {"back": True}).json()["weights"] == {"1.0.0": 50, "1.1.0": 50}
    serving.look()
    assert namespace.weights() == {"1.0.0": 50, "1.1.0": 50}
    told = [(event.action.value, event.actor, event.outcome.value) for event in audit.log.events]
    assert told == [("traffic.changed", "the operator", "done")] * 3


@pytest.mark.parametrize(
    ("method", "path", "body", "role", "status"),
    [
        pytest.param("PUT", "/traffic", {"weights": {"1.0.0": 100}}, "viewer", 403, id="viewers-override-nothing"),
        pytest.param("POST", "/switch", {"version": "1.1.0"}, "approver", 403, id="nor-do-approvers"),
        pytest.param("PUT", "/traffic", {"weights": {"1.0.0": 50}}, "operator", 422, id="half-a-split"),
        pytest.param("POST", "/switch", {}, "operator", 422, id="neither-a-version-nor-back"),
        pytest.param("POST", "/switch", {"back": True}, "operator", 409, id="never-switched"),
    ],
)
def test_what_a_pod_refuses_has_a_status(ask, method, path, body, role, status):
    assert ask(method, path, body, role).status_code == status


def test_endpoints_are_still_resources_only(ask):
    assert ask("PUT", "", {"kind": "ModelEndpoint"}).status_code == 404
