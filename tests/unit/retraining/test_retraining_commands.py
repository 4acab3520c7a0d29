"""What the commands tell a scheduler."""

import pytest
from retraining_examples import HERE, HOUR, NOON, STABLE, evidence, plan, run
from typer.testing import CliRunner

from ray_apps.cli import retrain
from ray_apps.retraining.journal import AppliedPlan, Journal
from ray_apps.retraining.ports import Canary, CanaryState, MemoryJobs, MemoryServing
from ray_apps.retraining.run import State
from ray_apps.retraining.watch import Watch


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "retraining.db")
    made.apply(AppliedPlan(plan=plan(), training="{}", directory=HERE, applied=NOON - HOUR))
    return made


@pytest.fixture
def serving(journal, monkeypatch, tmp_path):
    made = MemoryServing(STABLE, evidence())
    monkeypatch.setenv("RAYGATE_STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(retrain, "_journal", lambda settings: journal)
    monkeypatch.setattr(retrain, "_watch", lambda settings: Watch(journal, MemoryJobs(), made, lambda: NOON))
    monkeypatch.setattr(retrain, "_POLL_SECONDS", 0.01)
    return made


def look(*options):
    return CliRunner().invoke(retrain.app, ["look", "credit-risk", *options])


@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize(
    ("state", "options", "code"),
    [
        pytest.param(State.FAILED, ["--wait"], 1, id="a-failed-run-stays-failed"),
        pytest.param(State.FAILED, [], 0, id="nobody-asks-what-became-of-it"),
        pytest.param(State.REJECTED, ["--wait"], 0, id="no-better-model-is-a-result"),
    ],
)
def test_a_scheduler_that_tries_again_sees_what_became_of_the_latest_run(journal, state, options, code):
    journal.begin("credit-risk", lambda runs: run(1).after(state, NOON, "told"))
    found = look(*options)
    assert found.exit_code == code, found.output


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(CanaryState.BEGUN, 0, id="it-begins"),
        pytest.param(CanaryState.WAITING, 0, id="it-begins-later"),
        pytest.param(CanaryState.OUTDATED, 1, id="another-version-is-stable"),
        pytest.param(CanaryState.NOT_POSSIBLE, 1, id="something-must-change-first"),
    ],
)
def test_whoever_approves_learns_whether_there_will_be_a_canary(journal, serving, answer, code):
    serving.answer = Canary(answer, "told")
    journal.begin("credit-risk", lambda runs: run(1).after(State.AWAITING_APPROVAL, NOON, "it has won"))
    assert CliRunner().invoke(retrain.app, ["approve", "credit-risk"]).exit_code == code


def test_whoever_declines_is_told_and_it_is_in_the_history(journal, serving):
    journal.begin("credit-risk", lambda runs: run(1).after(State.AWAITING_APPROVAL, NOON, "it has won"))
    assert "declined" in CliRunner().invoke(retrain.app, ["decline", "credit-risk"]).output
    assert journal.runs("credit-risk")[-1].state is State.DECLINED


@pytest.mark.timeout(20)
def test_whoever_waits_does_not_wait_for_another_rollout(journal, serving):
    serving.answer = Canary(CanaryState.WAITING, "rollout-0 runs")
    journal.begin(
        "credit-risk", lambda runs: run(1).after(State.APPROVED, NOON, "it has won", challenger=STABLE.version)
    )
    assert look("--wait").exit_code == 0
    assert journal.runs("credit-risk")[-1].state is State.APPROVED
