"""Candidates that earn their traffic, and others that do not, on a running stack."""

import json
import os
import re
import signal
from dataclasses import replace

import httpx
import prometheus_server
import pytest
import rollout_run
from misbehaving_model import RAISES_AT, SLOW_AT
from rollout_run import ENDPOINT
from waiting import wait_until

from deployments.contracts.verdict import Outcome
from deployments.rollout import control_database
from deployments.rollout.challenger_watch import ACTOR
from deployments.rollout.state import Phase
from ray_apps.local.places import Places
from ray_apps.local.run_state import read_run


@pytest.fixture(scope="module")
def served(stack, misbehaving, tmp_path_factory):
    """Serve good and misbehaving versions under one plan; the example's own endpoint again after it."""
    rollouts = rollout_run.Rollouts(stack, tmp_path_factory.mktemp("rollouts") / "endpoint.yaml", (misbehaving,))
    rollouts.plan()
    yield rollouts
    stack.raygate("apply", "-f", str(stack.directory / "endpoint.yaml"))


@pytest.fixture
def rollouts(served):
    """Rollouts of one test; whatever is left is ended."""
    yield served
    served.end()


@pytest.fixture
def plan(rollouts):
    """Another plan for one test."""
    yield rollouts.plan
    rollouts.end()
    rollouts.plan()


def champion(stack):
    import mlflow

    client = mlflow.MlflowClient(stack.settings.mlflow_uri, stack.settings.mlflow_uri)
    return client.get_model_version_by_alias("credit_risk", "champion").tags["raygate.version"]


def test_a_good_candidate_gets_all_traffic_and_the_alias_though_its_controller_is_killed(
    load, stack, rows, rollouts
):
    with load(features=lambda number: rows[number % len(rows)]) as requests:
        rollouts.start("1.1.0")
        rollouts.wait_for(lambda rollout: rollout.state.step == 1)
        os.kill(read_run(Places(stack.settings.state).run_file).processes["controller"].pid, signal.SIGKILL)
        stack.raygate("up", "--detach")
        done = rollouts.ended()
        promoted = requests.now()
        requests.await_answers(200)
    assert done.state.phase is Phase.PROMOTED
    assert done.state.capacity == 2
    assert requests.failed == []
    assert set(requests.versions(since=promoted + 0.5)) == {"1.1.0"}
    assert champion(stack) == "1.1.0"
    stack.raygate("rollout", "rollback", ENDPOINT)
    rollouts.ended()
    assert champion(stack) == "1.0.0"


def test_a_candidate_with_ten_per_cent_errors_is_withdrawn_at_the_first_step(
    load, stack, rows, rollouts, misbehaving, record_property
):
    def features(number):
        return {**rows[number % len(rows)], "Age": RAISES_AT if number % 10 == 0 else 40}

    with load(features=features) as requests:
        rollouts.start(misbehaving)
        done = rollouts.ended()
        withdrawn = requests.now()
        requests.await_answers(200)
    assert (done.state.phase, done.state.step) == (Phase.ROLLED_BACK, 0)
    assert "requests failed" in done.state.reason
    record_property("failed requests", len(requests.failed))
    assert {outcome.status for outcome in requests.failed} == {500}
    assert [outcome for outcome in requests.failed if outcome.at > withdrawn + 1] == []
    seconds = (done.state.settled - done.state.decided).total_seconds()
    record_property("seconds from verdict to every gateway", seconds)
    assert seconds < 30  # docs/rollouts.md has what it takes where nothing else runs on the machine
    assert champion(stack) == "1.0.0"


def test_a_candidate_that_takes_six_hundred_milliseconds_is_withdrawn_by_its_p99(
    load, rows, rollouts, plan, misbehaving
):
    plan(checks=[{"check": "latency", "quantile": 0.99, "limitSeconds": 0.5}])
    with load(features=lambda number: {**rows[0], "Age": SLOW_AT}, rate=60) as requests:
        rollouts.start(misbehaving)
        done = rollouts.ended()
    assert done.state.phase is Phase.ROLLED_BACK
    assert "latency: p99 about" in done.state.reason
    assert requests.failed == []


def test_a_candidate_whose_predictions_shift_is_held_until_somebody_decides(
    load, stack, rows, rollouts, misbehaving, monkeypatch
):
    with load(features=lambda number: {**rows[number % len(rows)], "Age": 40}):
        rollouts.start(misbehaving)
        held = rollouts.wait_for(lambda rollout: rollout.state.phase is Phase.PAUSED)
    assert held.state.weight == 20
    assert "prediction shift: index" in held.state.reason
    shown = stack.raygate("rollout", "status", ENDPOINT).stdout
    assert "paused, step 1 of 2" in shown
    print(shown)  # for docs/rollouts.md: pytest -rP shows it
    refused = stack.raygate("rollout", "resume", ENDPOINT, check=False)
    assert "prediction-shift is over its limit; `approve` goes on all the same" in refused.stderr
    monkeypatch.setitem(stack.environment, "LOGNAME", "somebody-else")
    stack.raygate("rollout", "approve", ENDPOINT)
    history = stack.raygate("rollout", "history", ENDPOINT, "--json").stdout
    assert "prediction-shift approved by somebody-else@" in history


def test_a_candidate_over_the_limit_of_an_owners_own_query_is_withdrawn(
    load, stack, rows, rollouts, plan, misbehaving, require_program, tmp_path
):
    program = require_program("prometheus", package="prometheus")
    series = 'ml_predictions_total{model="{{model}}", version="{{version}}"%s}[{{window}}]'
    good, all_of_them = series % ', prediction="good"', series % ""
    approved = f"sum(increase({good})) / sum(increase({all_of_them}))"
    check = {
        "check": "query",
        "name": "approved-share",
        "query": approved,
        "limit": 0.999,
        "limitTimesStable": 1.1,
    }
    target = f"127.0.0.1:{stack.settings.metrics_port}"
    with prometheus_server.scraping(program, tmp_path, target, port=stack.prometheus_port):
        plan(steps=[{"weight": 50, "hold": "1h"}], checks=[{"check": "error-rate"}, check])
        with load(features=lambda number: {**rows[number % len(rows)], "Age": 40}):
            rollouts.start(misbehaving)
            done = rollouts.ended()
    print(stack.raygate("rollout", "status", ENDPOINT).stdout)  # for docs/rollouts.md
    assert done.state.phase is Phase.ROLLED_BACK
    assert done.state.reason.startswith("query approved-share: 1, limit 0.999, limit 1.1 times stable's 0.")


def test_a_candidate_with_worse_accuracy_on_labels_is_withdrawn(stack, rows, rollouts, plan):
    """Labels say that stable is right nine times of ten, and the candidate six."""
    plan(
        steps=[{"weight": 50, "hold": "1h"}],
        minRequests=50,
        checks=[{"check": "quality", "limitDrop": 0.05, "minLabels": 100}],
    )
    rollouts.start("1.1.0")
    rollouts.in_force()
    right = {"1.0.0": 9, "1.1.0": 6}
    answered = dict.fromkeys(right, 0)
    with httpx.Client(base_url=stack.api_url, headers=stack.headers, timeout=30) as client:
        for number in range(600):
            body = {"model_id": ENDPOINT, "features": rows[number % len(rows)]}
            answer = client.post("/api/v1/predict", json=body).raise_for_status().json()
            version, prediction = answer["model_version"], answer["prediction"]
            answered[version] += 1
            is_right = answered[version] % 10 < right[version]
            label = prediction if is_right else {"good": "bad", "bad": "good"}[prediction]
            told = {"prediction_id": answer["prediction_id"], "label": label}
            client.post("/api/v1/feedback", json=told).raise_for_status()
    done = rollouts.ended()
    assert done.state.phase is Phase.ROLLED_BACK
    told = re.match(r"accuracy: ([\d.]+) against ([\d.]+):", done.state.reason)
    assert told, done.state.reason
    # A verdict may come between two tens of labels.
    assert [float(share) for share in told.groups()] == pytest.approx([0.6, 0.9], abs=0.05)


def test_a_candidate_answers_logged_requests_before_it_answers_callers(load, rows, rollouts, plan):
    plan(steps=[{"replay": "1h", "minRows": 100, "limitDisagreement": 0.9}, {"weight": 20, "hold": "1h"}])
    load(features=lambda number: rows[number % len(rows)]).send(300)
    rollouts.start("1.1.0")
    first = rollouts.in_force()
    assert (first.state.step, first.state.weight) == (0, 0)
    rollouts.wait_for(lambda rollout: rollout.state.weight == 20)
    passed = next(
        made for made in reversed(rollouts.history()) if made.detail.get("weights", {}).get("1.1.0") == 20
    )
    (finding,) = passed.detail["verdict"]["findings"]
    assert (finding["check"], finding["outcome"]) == ("replay", "healthy")
    assert finding["evidence"]["rows"] >= 100
    print(finding["message"])


def test_a_version_that_passes_its_smoke_tests_begins_its_rollout_in_the_next_environment(
    stack, rollouts, tmp_path
):
    """The next environment is this one: what is asked over HTTP there and here is the same."""
    passed = stack.raygate("smoke", ENDPOINT, "--version", "1.1.0").stdout
    assert "20 passed" in passed
    production = {"control_url": stack.settings.control_url, "key": f"file:{stack.settings.key_file}"}
    environment = {**stack.environment, "RAYGATE_ENVIRONMENTS": json.dumps({"production": production})}
    promoted = replace(stack, environment=environment).raygate(
        "promote", ENDPOINT, "--version", "1.1.0", "--to", "production"
    )
    begun = rollouts.latest()
    assert f"{begun.name} has begun in production" in promoted.stdout
    assert (str(begun.candidate), begun.started_by) == ("1.1.0", "local")


def test_moving_the_alias_challenger_starts_a_rollout(stack, rollouts, plan):
    import mlflow

    client = mlflow.MlflowClient(stack.settings.mlflow_uri, stack.settings.mlflow_uri)
    versions = client.search_model_versions("name='credit_risk' and tag.`raygate.version` = '1.1.0'")
    client.delete_registered_model_alias("credit_risk", "challenger")
    plan(startOn="challenger")
    wait_until(lambda: seen_challenger(stack) == [("",)])
    client.set_registered_model_alias("credit_risk", "challenger", versions[0].version)
    started = wait_until(lambda: rollouts.latest() if rollouts.latest().started_by == ACTOR else None)
    assert str(started.candidate) == "1.1.0"


def seen_challenger(stack):
    """What the controller remembers of the alias."""
    with control_database.transaction(stack.settings.control_database) as database:
        return database.execute("SELECT version FROM challengers").fetchall()


def test_thin_traffic_is_held_and_not_promoted(load, stack, rollouts):
    rollouts.start("1.1.0")
    load().send(50)
    rollouts.wait_for(lambda rollout: rollout.state.verdict is not None)
    judged = rollouts.latest().state.checked
    rollouts.wait_for(lambda rollout: (rollout.state.checked - judged).total_seconds() > 6)
    state = rollouts.latest().state
    assert (state.phase, state.weight) == (Phase.PROGRESSING, 20)
    assert state.verdict.outcome is Outcome.INCONCLUSIVE
    refused = stack.raygate("traffic", ENDPOINT, "1.0.0=50", "1.1.0=50", check=False)
    assert "owns its weights" in refused.stderr
