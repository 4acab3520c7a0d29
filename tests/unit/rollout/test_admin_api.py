"""Rollouts over HTTP: the same commands, with roles."""

import httpx
import pytest
from admin_doubles import MemoryControl
from prometheus_client.parser import text_string_to_metric_families
from role_callers import ByName, Recorder
from rollout_examples import NAME, World, wanted_endpoint

from deployments.access.access import Access
from deployments.contracts.verdict import Finding, Outcome, Verdict
from deployments.rollout.rollout_store import Change
from deployments.rollout.state import Phase
from ray_apps.admin_api import guarded

PATH = f"/api/v1/admin/endpoints/{NAME}/rollout"
APPROVAL_FIRST = "steps: [{pause: approval}, {weight: 10}]"


@pytest.fixture
def audit():
    return Recorder()


@pytest.fixture
def world():
    return World.with_plan(APPROVAL_FIRST)


@pytest.fixture
def control(world):
    return MemoryControl(world.store)


@pytest.fixture
def ask(world, control, audit):
    api = guarded(world.service, control, Access(ByName(), audit=audit))

    def send(method, path, role="operator", **more):
        import asyncio

        async def exchange():
            transport = httpx.ASGITransport(app=api)
            async with httpx.AsyncClient(transport=transport, base_url="http://controller") as client:
                headers = {"authorization": f"Bearer {role}"} if role else {}
                return await client.request(method, path, headers=headers, **more)

        return asyncio.run(exchange())

    return send


def test_a_rollout_goes_its_way_over_http_with_two_people(ask, world):
    begun = ask("POST", PATH, json={"version": "1.1.0"})
    assert (begun.status_code, begun.json()["phase"]) == (201, "awaiting approval")
    approved = ask("POST", f"{PATH}/approve", role="approver")
    assert (approved.status_code, approved.json()["weight"]) == (200, 10)
    assert ask("POST", f"{PATH}/abort").json()["phase"] == "aborted"
    history = ask("GET", f"/api/v1/admin/endpoints/{NAME}/history", role="approver").json()
    assert [made["action"].removeprefix("rollout ") for made in history] == [
        "awaiting approval",
        "progressing",
        "aborted",
    ]
    assert history[1]["detail"]["actor"] == "the approver"


@pytest.mark.parametrize(
    ("method", "path", "role", "status"),
    [
        pytest.param("POST", f"{PATH}/approve", "operator", 403, id="operators-do-not-approve"),
        pytest.param("POST", f"{PATH}/abort", "approver", 403, id="approvers-do-not-change-traffic"),
        pytest.param("POST", PATH, "viewer", 403, id="viewers-start-nothing"),
        pytest.param("GET", PATH, None, 401, id="nobody-reads-without-a-credential"),
        pytest.param("GET", "/openapi.json", None, 401, id="nor-the-documentation"),
        pytest.param("POST", f"{PATH}/explode", "admin", 404, id="unknown-command"),
    ],
)
def test_roles_decide_who_may_do_what(ask, method, path, role, status):
    assert ask(method, path, role=role).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "details"),
    [
        pytest.param("GET", PATH, None, 404, "has no rollout", id="no-rollout"),
        pytest.param("POST", PATH.replace(NAME, "nobody"), {}, 404, "no model 'nobody'", id="no-endpoint"),
        pytest.param("POST", PATH, {"version": "9.9.9"}, 404, "unknown version 9.9.9", id="no-version"),
        pytest.param("POST", PATH, {"version": "newest"}, 422, "is not a version number", id="no-number"),
        pytest.param("POST", PATH, {"version": "1.0.0"}, 409, "stable version already", id="stable"),
    ],
)
def test_what_cannot_be_done_has_a_status_and_a_reason(ask, method, path, body, status, details):
    answer = ask(method, path, json=body)
    assert (answer.status_code, details in answer.json()["details"]) == (status, True)


def test_every_call_is_in_the_audit_however_it_ends(ask, audit):
    ask("POST", PATH, json={})
    ask("POST", f"{PATH}/resume")
    told = [(event.action.value, event.actor, event.outcome.value) for event in audit.log.events]
    assert told == [("rollout.started", "the operator", "done"), ("rollout.resumed", "the operator", "failed")]


ENDPOINTS = "/api/v1/admin/endpoints"


def document_with(**spec):
    plain = wanted_endpoint().document.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {
        **plain,
        "apiVersion": "raygate.io/v1alpha1",
        "kind": "ModelEndpoint",
        "spec": {**plain["spec"], **spec},
    }


def test_an_endpoint_is_applied_overridden_and_deleted_over_http(ask, audit):
    wanted = document_with(traffic={"split": {"1.0.0": 70, "1.1.0": 30}})
    dry = ask("PUT", f"{ENDPOINTS}/{NAME}?dry_run=true", json=wanted).json()
    assert "1.1.0 has 0 % of the traffic, will have 30 %" in dry["in_words"]
    assert dry["configs"] == {"raygate-gateway": "- a\n+ b"}
    assert ask("GET", ENDPOINTS, role="viewer").json()[0]["weights"] == {"1.0.0": 100, "1.1.0": 0}
    assert ask("PUT", f"{ENDPOINTS}/{NAME}", json=wanted).status_code == 200
    assert ask("GET", ENDPOINTS, role="viewer").json()[0]["weights"] == {"1.0.0": 70, "1.1.0": 30}
    changed = ask("PUT", f"{ENDPOINTS}/{NAME}/traffic", json={"weights": {"1.0.0": 50, "1.1.0": 50}})
    assert (changed.status_code, changed.json()["weights"]["1.1.0"]) == (200, 50)
    switched = ask("POST", f"{ENDPOINTS}/{NAME}/switch", json={"version": "1.1.0"})
    assert (switched.status_code, switched.json()["weights"]["1.1.0"]) == (200, 100)
    assert ask("DELETE", f"{ENDPOINTS}/{NAME}").status_code == 204
    assert ask("GET", ENDPOINTS, role="viewer").json() == []
    assert [event.action.value for event in audit.log.events] == [
        "endpoint.applied",
        "traffic.changed",
        "traffic.changed",
        "endpoint.deleted",
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "role", "status", "details"),
    [
        pytest.param("PUT", f"/{NAME}", {"kind": "Pod"}, "operator", 422, "apiVersion", id="another-document"),
        pytest.param("PUT", "/other", document_with(), "operator", 422, "the path names other", id="another-name"),
        pytest.param("PUT", f"/{NAME}", document_with(), "viewer", 403, "", id="viewers-apply-nothing"),
        pytest.param(
            "PUT",
            f"/{NAME}/traffic",
            {"weights": {"1.0.0": 50}},
            "operator",
            422,
            "add up to 50",
            id="half-a-split",
        ),
        pytest.param(
            "PUT",
            f"/{NAME}/traffic",
            {"weights": {"1.0.0": 150, "1.1.0": -50}},
            "operator",
            422,
            "weights.1.1.0: is -50",
            id="less-than-nothing",
        ),
        pytest.param(
            "PUT", "/nobody/traffic", {"weights": {"1.0.0": 100}}, "operator", 404, "nobody", id="unknown-endpoint"
        ),
        pytest.param("POST", f"/{NAME}/switch", {}, "operator", 422, "name a version", id="switch-nowhere"),
        pytest.param("POST", f"/{NAME}/switch", {"back": True}, "operator", 409, "", id="never-switched"),
    ],
)
def test_what_cannot_be_applied_has_a_status_and_a_reason(ask, method, path, body, role, status, details):
    answer = ask(method, ENDPOINTS + path, role=role, json=body)
    assert (answer.status_code, details in answer.json()["details"]) == (status, True)


@pytest.mark.parametrize(
    ("path", "body", "action"),
    [
        pytest.param(f"/{NAME}", {"kind": "Pod"}, "endpoint.applied", id="another-document"),
        pytest.param(f"/{NAME}/traffic", {"weights": {"1.0.0": 50}}, "traffic.changed", id="half-a-split"),
    ],
)
def test_what_is_refused_is_in_the_audit(ask, audit, path, body, action):
    assert ask("PUT", ENDPOINTS + path, json=body).status_code == 422
    assert [(event.action.value, event.outcome.value) for event in audit.log.events] == [(action, "failed")]


def test_what_fails_unexpectedly_is_in_the_audit_as_failed(ask, audit, control, monkeypatch):
    def fail(name):
        raise OSError("disk full")

    monkeypatch.setattr(control, "delete", fail)
    with pytest.raises(OSError, match="disk full"):
        ask("DELETE", f"{ENDPOINTS}/{NAME}")
    [event] = audit.log.events
    assert (event.outcome.value, event.detail) == ("failed", {"reason": "OSError"})


def told(text):
    return {
        (
            sample.name,
            *(value for name, value in sorted(sample.labels.items()) if name != "environment"),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_prometheus_reads_phase_weights_and_checks_of_the_latest_rollout(ask, world):
    assert told(ask("GET", "/api/v1/admin/metrics", "viewer").text) == {}
    ask("POST", PATH, json={"version": "1.1.0"})
    begun = world.store.rollouts()[NAME]
    findings = (
        Finding(check="errors", outcome=Outcome.HEALTHY, message=""),
        Finding(check="latency", outcome=Outcome.INCONCLUSIVE, message=""),
    )
    judged = begun.state.model_copy(update={"weight": 25.0, "verdict": Verdict(findings=findings)})
    world.store.write(Change(begun.at(judged)))
    shown = told(ask("GET", "/api/v1/admin/metrics", "viewer").text)
    present = {labels for labels, value in shown.items() if value == 1}
    assert present == {
        ("raygate_rollout_phase", NAME, "awaiting approval"),
        ("raygate_rollout_check", "errors", NAME, "healthy"),
        ("raygate_rollout_check", "latency", NAME, "inconclusive"),
    }
    assert shown["raygate_rollout_weight_ratio", NAME, "1.0.0"] == 0.75
    assert shown["raygate_rollout_weight_ratio", NAME, "1.1.0"] == 0.25
    assert len([labels for labels in shown if labels[0] == "raygate_rollout_phase"]) == len(Phase)


def test_series_are_for_callers_that_may_read_them(ask):
    assert ask("GET", "/api/v1/admin/metrics", role=None).status_code == 401
