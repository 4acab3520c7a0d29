"""``raygate replay``: what was logged of stable, through another version, by the batch code itself."""

import json
import re
import shutil
from datetime import UTC, datetime, timedelta

import pytest
import typer
from shop_traffic import BatchRunner, ShopTraffic
from typer.testing import CliRunner

from deployments.contracts.errors import PackageNotFound, PackageRejected, UnknownEndpoint
from deployments.contracts.model_version import Version
from deployments.contracts.rollout_plan import ReplayStep, RolloutPlan, WeightStep
from deployments.prediction_log import personal_data
from deployments.rollout import transitions
from deployments.rollout.analysis import replay
from deployments.rollout.endpoint_store import EndpointStore
from deployments.rollout.errors import ReplayFailed, ReplayNotPossible
from deployments.rollout.sqlite_rollout_store import SqliteRolloutStore
from deployments.rollout.state import Rollout
from deployments.runtime.signing_keys import KeyDirectory
from ray_apps.cli import console
from ray_apps.cli.commands import app
from ray_apps.cli.replay import terms, window
from ray_apps.replay_gate import BatchReplays
from ray_apps.settings import Settings

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
V1, V2 = Version(1, 0, 0), Version(1, 1, 0)


@pytest.fixture
def ray(shop_store):
    server = BatchRunner(shop_store)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(tmp_path, shop_store, ray, monkeypatch):
    monkeypatch.setenv("RAYGATE_STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("MODEL_PATH", str(shop_store.root))
    monkeypatch.setenv("RAYGATE_BATCH", json.dumps({"jobs_address": ray.url}))
    monkeypatch.setattr(console.out, "width", 200)
    monkeypatch.setattr("ray_apps.cli.replay.POLL_SECONDS", 0.01)
    personal_data.create_key_file(tmp_path / "log.key")
    return Settings()


@pytest.fixture
def traffic(settings, shop):
    """A stack whose stable version is 1.0.0; 1.1.0, which differs often, is packaged and not served."""
    made = ShopTraffic(settings, shop[V1])
    made.serve()
    return made


def raygate(*arguments):
    result = CliRunner().invoke(app, ["replay", "shop", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def found(*arguments):
    """Exit code and what a script reads."""
    done = raygate(*arguments, "--json")
    return done.exit_code, json.loads(done.stdout)


def test_a_version_that_says_what_stable_said_is_healthy(traffic):
    traffic.answer(600)
    done = raygate("1.0.0")
    assert done.exit_code == 0
    assert "healthy: replay: 0 of 600 logged requests get another label" in done.stdout


def test_one_that_differs_is_unhealthy_though_nobody_serves_it(traffic):
    traffic.answer(600, right=0.9)
    done = raygate("1.1.0", "--limit-disagreement", "0.05")
    assert done.exit_code == 1
    assert "unhealthy: replay: " in done.stdout
    exit_code, told = found("1.1.0", "--limit-disagreement", "0.05")
    assert (exit_code, told["outcome"], told["stable"], told["candidate"]) == (1, "unhealthy", "1.0.0", "1.1.0")
    evidence = told["evidence"]
    assert evidence["share_at_least"] < evidence["share"] < evidence["share_at_most"]
    assert (evidence["rows"], evidence["stable_labels"], evidence["stable_mean"]) == (600, 600, 0.9)
    assert evidence["candidate_mean"] < 0.9


def test_the_table_has_every_figure_beside_its_limit(traffic):
    traffic.answer(600, right=0.9)
    done = raygate("1.1.0", "--min-labels", "300")
    shown = [re.split(r" {2,}", line.strip()) for line in done.stdout.splitlines()]
    assert ["answered requests", "600", "at least 500"] in shown
    assert ["accuracy of 1.0.0", "0.9 on 600 labels", "on at least 300 labels"] in shown
    (differs,) = [line for line in shown if line[0] == "get another label"]
    assert re.fullmatch(r"\d+: [\d.]+% \(plausible [\d.]+% to [\d.]+%\)", differs[1])


def test_without_labels_that_is_told(traffic):
    traffic.answer(600)
    assert "no label is known" in raygate("1.0.0").stdout


def test_few_requests_are_no_evidence_of_health(traffic):
    traffic.answer(50)
    assert found("1.0.0")[0] == 3
    assert found("1.0.0", "--min-rows", "50")[0] == 0


@pytest.mark.parametrize(
    "span",
    [
        pytest.param(("--until", "2020-01-01T00:00:00"), id="no-segment"),
        pytest.param(("--hours", "0.01"), id="no-request-in-the-hours-of-a-segment"),
    ],
)
def test_a_time_without_requests_is_told_and_no_failure(traffic, span):
    traffic.began = datetime.now(UTC).replace(minute=0, second=0) - timedelta(seconds=1)
    traffic.answer(10)
    traffic.began = datetime.now(UTC) + timedelta(seconds=30)  # so that this hour has a segment
    traffic.answer(10)
    exit_code, told = found("1.1.0", *span)
    assert (exit_code, told["outcome"], told["evidence"]["rows"]) == (3, "inconclusive", 0)
    assert (
        "no request of shop in that time" in told["message"] or "no logged request of that time" in told["message"]
    )


def test_the_limits_are_those_of_the_plan_unless_others_are_given(traffic):
    traffic.serve("steps: [{replay: 1h, minRows: 20, limitDisagreement: 0.95}, {weight: 10}]")
    traffic.answer(50)
    assert found("1.1.0")[0] == 0
    assert found("1.1.0", "--limit-disagreement", "0.001")[0] == 1


def test_a_step_of_a_plan_gets_the_same_answer(traffic, settings):
    traffic.answer(600, right=0.9)
    told = found("1.1.0")[1]["evidence"]
    now = datetime.now(UTC)
    step = ReplayStep(replay=timedelta(hours=1))
    plan = RolloutPlan(steps=(step, WeightStep(weight=10)))
    rollout = Rollout(
        name="shop-1.1.0-now", endpoint="shop", model="shop", stable=V1, candidate=V2, plan=plan, started=now,
        started_by="ann", state=transitions.begin(plan, now),
    )  # fmt: skip
    gate = BatchReplays(settings)
    assert not gate.look(rollout, step).is_done
    replayed = gate.look(rollout, step)
    assert replay.judge(step, replayed, 1 - plan.analysis.confidence).evidence == told


def test_no_rollout_is_touched(traffic, settings):
    traffic.answer(600)
    raygate("1.1.0")
    assert SqliteRolloutStore(settings.control_database).rollouts() == {}
    assert [made.action for made in EndpointStore(settings.control_database).history("shop")] == ["apply"]


def test_answers_are_removed_unless_somebody_wants_them(traffic, settings, tmp_path):
    traffic.answer(60)
    raygate("1.1.0")
    assert list((settings.state / "replays").iterdir()) == []
    raygate("1.1.0", "--output", str(tmp_path / "answers"))
    assert (tmp_path / "answers" / "_SUCCESS").exists()


def test_a_batch_that_fails_is_told_and_leaves_nothing(traffic, settings, ray):
    traffic.answer(60)
    ray.trouble = "no memory"
    with pytest.raises(ReplayFailed, match="no memory"):
        raygate("1.1.0")
    assert not any((settings.state / "replays").glob("*"))


def test_whoever_interrupts_it_leaves_no_batch_behind(traffic, ray, monkeypatch):
    traffic.answer(60)
    monkeypatch.setattr(ray, "taken", lambda job_id: None)

    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("ray_apps.cli.replay.time.sleep", interrupted)
    assert raygate("1.1.0").exit_code != 0
    assert [job["status"] for job in ray.jobs.values()] == ["STOPPED"]


def test_without_a_log_that_is_told_and_nothing_runs(traffic, ray, monkeypatch):
    monkeypatch.setenv("RAYGATE_LOG_URI", "")
    with pytest.raises(ReplayNotPossible, match="there is no prediction log"):
        raygate("1.1.0")
    assert ray.jobs == {}


def test_an_endpoint_that_nobody_applied_is_named_with_those_that_are_there(traffic):
    with pytest.raises(UnknownEndpoint, match="shop"):
        CliRunner().invoke(app, ["replay", "house", "1.0.0"], catch_exceptions=False)


def test_a_version_that_is_not_packaged_is_named_with_those_that_are(traffic, ray):
    traffic.answer(60)
    with pytest.raises(PackageNotFound, match=r"1\.0\.0"):
        raygate("7.0.0")
    assert ray.jobs == {}


def test_a_version_that_is_not_signed_is_refused_before_anything_runs(traffic, ray, tmp_path, monkeypatch):
    KeyDirectory(tmp_path / "signing-keys").create()
    monkeypatch.setenv("RAYGATE_TRUSTED_KEYS", f"file:{tmp_path / 'signing-keys' / 'trusted'}")
    with pytest.raises(PackageRejected, match=r"v1\.1\.0 is refused: it is not signed"):
        raygate("1.1.0")
    assert ray.jobs == {}


def with_another(shop_store, tmp_path, monkeypatch, file, change):
    """A store with a version 2.0.0 that differs in one document."""
    root = tmp_path / "models"
    shutil.copytree(shop_store.root, root)
    shutil.copytree(root / "shop" / "v1.1.0", root / "shop" / "v2.0.0")
    document = json.loads((root / "shop" / "v2.0.0" / file).read_text())
    change(document)
    (root / "shop" / "v2.0.0" / file).write_text(json.dumps(document))
    monkeypatch.setenv("MODEL_PATH", str(root))


def test_a_version_that_refuses_what_stable_accepts_is_refused_before_anything_runs(
    traffic, ray, shop_store, tmp_path, monkeypatch
):
    def wants_more(document):
        document["features"].append({"name": "height", "kind": "number"})

    with_another(shop_store, tmp_path, monkeypatch, "feature_schema.json", wants_more)
    with pytest.raises(ReplayNotPossible, match="it requires height, which stable does not know"):
        raygate("2.0.0")
    assert ray.jobs == {}


def test_numbers_are_not_compared_as_labels(traffic, ray, shop_store, tmp_path, monkeypatch):
    def predicts_numbers(document):
        document.update(task="regression", classes=[])

    with_another(shop_store, tmp_path, monkeypatch, "model_metadata.json", predicts_numbers)
    with pytest.raises(ReplayNotPossible, match="it is a regression"):
        raygate("2.0.0")
    assert ray.jobs == {}


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        pytest.param((None, None, None), (NOON - 24 * HOUR, NOON), id="the-last-day"),
        pytest.param((2, None, None), (NOON - 2 * HOUR, NOON), id="hours"),
        pytest.param((2, None, NOON - HOUR), (NOON - 3 * HOUR, NOON - HOUR), id="hours-until"),
        pytest.param((None, NOON - HOUR, None), (NOON - HOUR, NOON), id="since"),
    ],
)
def test_a_span_is_told_by_its_length_or_its_ends(asked, span):
    hours, since, until = asked
    moments = [moment and moment.replace(tzinfo=None) for moment in (since, until)]
    assert window(hours, *moments, NOON) == span


@pytest.mark.parametrize(
    ("hours", "since"), [pytest.param(2, NOON - HOUR, id="twice"), pytest.param(None, NOON, id="ends-first")]
)
def test_a_span_that_is_told_twice_or_is_none_is_refused(hours, since):
    with pytest.raises(typer.BadParameter):
        window(hours, since.replace(tzinfo=None), None, NOON)


def test_a_limit_out_of_its_bounds_is_named():
    with pytest.raises(typer.BadParameter, match="limitDisagreement"):
        terms(RolloutPlan(), HOUR, {"limitDisagreement": 2.0})
