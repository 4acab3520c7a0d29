"""``raygate replay`` as a person runs it, on what the running stack has logged."""

import json
import shlex
import time
from datetime import UTC, datetime

import httpx
import pytest
from waiting import wait_until

from deployments.contracts.model_version import Version
from deployments.prediction_log import labels, reader
from deployments.rollout.endpoint_store import EndpointStore
from deployments.rollout.sqlite_rollout_store import SqliteRolloutStore
from ray_apps import replay_job
from ray_apps.replays import WantedReplay

ENDPOINT, STABLE = "credit-risk", "1.0.0"
REQUESTS, LABELS = 8, 3
"""Requests of all rows, and those of them whose labels become known: as stable said, but for every tenth."""


@pytest.fixture(scope="module")
def span(stack, rows):
    """The time in which stable answered; all of it is in the log."""
    time.sleep(1.1)
    since = datetime.now(UTC).replace(microsecond=0)
    asked = [{**row, "Age": 40} for row in rows]  # an age at which no version misbehaves
    answers = [stack.predict(asked, model_version=STABLE).json()["predictions"] for _ in range(REQUESTS)]
    with httpx.Client(base_url=stack.api_url, headers=stack.headers, timeout=30) as client:
        for number, answer in enumerate(answer for some in answers[:LABELS] for answer in some):
            other = {"good": "bad", "bad": "good"}[answer["prediction"]]
            label = other if number % 10 == 0 else answer["prediction"]
            told = {"prediction_id": answer["prediction_id"], "label": label}
            client.post("/api/v1/feedback", json=told).raise_for_status()

    log = stack.settings.prediction_log

    def logged():
        found = reader.read(log, model="credit_risk", version=STABLE, since=since, columns=["version"])
        return found.num_rows >= REQUESTS * len(rows)

    wait_until(logged, 120)
    wait_until(lambda: labels.read_feedback(log, since=since).num_rows >= LABELS * len(rows), 120)
    until = datetime.now(UTC).replace(microsecond=0)
    return "--since", f"{since:%Y-%m-%dT%H:%M:%S}", "--until", f"{until:%Y-%m-%dT%H:%M:%S}"


def decided(stack):
    store = SqliteRolloutStore(stack.settings.control_database)
    return store.rollouts(), store.endpoints(), EndpointStore(stack.settings.control_database).history(ENDPOINT)


def replay(stack, version, *options):
    least = ("--min-rows", "300", "--min-labels", "100")
    return stack.raygate("replay", ENDPOINT, version, *options, *least, check=False, timeout=240)


def test_a_packaged_version_that_nobody_serves_is_compared_with_what_stable_answered(
    stack, rows, span, misbehaving
):
    before = decided(stack)
    done = replay(stack, misbehaving, *span)
    print(done.stdout)  # for docs/rollouts.md: pytest -rP shows it
    assert done.returncode == 1, done.stderr
    assert "unhealthy: replay: " in done.stdout
    assert f"of {REQUESTS * len(rows)} logged requests get another label" in done.stdout
    assert decided(stack) == before
    assert list((stack.settings.state / "replays").glob(f"{ENDPOINT}-{misbehaving}-*")) == []


def test_stable_itself_says_again_what_it_said(stack, rows, span):
    done = replay(stack, STABLE, *span, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    evidence = told["evidence"]
    assert (told["outcome"], evidence["rows"], evidence["disagreements"]) == ("healthy", REQUESTS * len(rows), 0)
    assert evidence["candidate_labels"] == evidence["stable_labels"] == LABELS * len(rows)
    assert evidence["candidate_mean"] == evidence["stable_mean"] == pytest.approx(0.9)


def test_a_job_of_its_own_finds_the_same_and_leaves_no_answers(stack, rows, span, job, tmp_path):
    """As the controller on Kubernetes begins it."""
    _, since, _, until = span
    moments = (datetime.fromisoformat(f"{moment}+00:00") for moment in (since, until))
    versions = (Version.parse(STABLE), Version.parse("1.1.0"))
    asked = WantedReplay("rollout/0", "credit_risk", *versions, *moments, str(tmp_path / "replayed"))
    told = {
        "RAYGATE_STATE_DIRECTORY": str(stack.settings.state),
        "MODEL_PATH": str(stack.settings.models),
        "RAYGATE_LOG_KEYS_FROM": f"file:{stack.settings.state / 'log.key'}",
    }
    job(shlex.join(replay_job.command(asked)[1:]), **told)
    found = replay_job.outcome(asked)
    assert (found.is_done, found.rows, found.rejected) == (True, REQUESTS * len(rows), 0)
    assert found.candidate.count == found.stable.count == LABELS * len(rows)
    assert [file.name for file in (tmp_path / "replayed").rglob("*")] == ["_replayed.json"]


def test_a_version_that_nobody_packaged_is_named_with_those_that_are_there(stack):
    done = replay(stack, "7.7.7")
    assert done.returncode == 1
    assert "7.7.7" in done.stderr
    assert STABLE in done.stderr
