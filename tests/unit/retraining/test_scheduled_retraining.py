"""One look by the clock, in a pod that nobody waits for."""

from datetime import UTC, datetime

import pytest
import yaml
from retraining_examples import STABLE, evidence

from deployments.contracts.errors import InvalidDocument
from deployments.contracts.package import MANIFEST, METADATA, InferencePath, ModelMetadata, Parity, Task
from ray_apps import retrain
from ray_apps.local.lock import CommandRunning, exclusive
from ray_apps.retraining import scheduled
from ray_apps.retraining.local import journal_of
from ray_apps.retraining.ports import Canary, CanaryState, MemoryServing
from ray_apps.retraining.run import State
from ray_apps.settings import Settings

TRAINING = {
    "model": STABLE.model,
    "source": {"kind": "csv", "path": "rows.csv"},
    "target": {"column": "Status"},
    "versions": [{"version": "1.0.0", "family": "lightgbm"}],
}
PLAN = {
    "endpoint": "credit-risk",
    "triggers": {"quality": {"metric": "roc_auc", "drop": 0.05}},
    "challenge": {"metric": "roc_auc"},
    "winner": "canary",
}


class Pod:
    """What a scheduled pod mounts, and the job that it does."""

    def __init__(self, directory):
        self.settings = Settings(state_directory=directory / "state")
        self.serving = MemoryServing(STABLE, evidence(auc=0.70))
        self.plan, self.ends, self.told = directory / "retraining.yaml", State.APPROVED, []
        training = directory / "training.yaml"
        training.write_text(yaml.safe_dump(TRAINING))
        self.document = PLAN | {"training": str(training)}
        package = self.settings.models / STABLE.model / f"v{STABLE.version}"
        package.mkdir(parents=True)
        metadata = ModelMetadata(
            model=STABLE.model,
            version=STABLE.version,
            task=Task.BINARY,
            classes=("good", "bad"),
            threshold=0.5,
            path=InferencePath.NATIVE,
            parity=Parity(rows=0, max_difference=None, label_flips=0, tolerance=0.0),
            family="lightgbm",
            created=datetime(2026, 11, 1, tzinfo=UTC),
        )
        (package / METADATA).write_text(metadata.model_dump_json())
        (package / MANIFEST).write_text("{}")

    @property
    def journal(self):
        return journal_of(self.settings)

    def perform(self, name):
        return self.journal.change(name, lambda run: run.after(self.ends, datetime.now(UTC), "judged"))

    def look(self, **changes):
        self.plan.write_text(yaml.safe_dump(self.document | changes))
        return scheduled.look(self.plan, self.settings, self.serving, self.perform, self.told.append)


@pytest.fixture
def pod(tmp_path):
    return Pod(tmp_path)


def test_what_is_due_is_done_here_and_the_winner_has_its_canary(pod):
    run = pod.look()
    assert run.state is State.CANARY
    assert run.trigger.kind == "quality"
    assert pod.serving.canaries == [run.name]


def test_cooldown_and_plan_outlive_the_pod(pod):
    first = pod.look()
    applied = pod.journal.plan("credit-risk")
    assert pod.look() == first
    assert any("the cooldown of 1d" in line for line in pod.told)
    assert pod.journal.plan("credit-risk") == applied
    pod.look(cooldown="7d")
    assert pod.journal.plan("credit-risk").applied > applied.applied


def test_a_winner_that_waits_for_the_owner_has_its_canary_at_a_later_look(pod):
    pod.serving.answer = Canary(CanaryState.WAITING, "add it to its versions")
    assert pod.look().state is State.APPROVED
    pod.serving.answer = Canary(CanaryState.BEGUN, "rollout-1")
    assert pod.look().state is State.CANARY


def test_a_run_whose_pod_was_killed_has_failed_and_does_not_begin_again_at_once(pod):
    def killed(name):
        pod.journal.change(name, lambda run: run.after(State.RUNNING, datetime.now(UTC), "the job has begun"))
        raise KeyboardInterrupt

    perform, pod.perform = pod.perform, killed
    with pytest.raises(KeyboardInterrupt):
        pod.look()
    pod.perform = perform
    found = pod.look()
    assert found.state is State.FAILED
    assert "the process that did it has ended" in found.notes[-1].text


def test_two_pods_do_not_look_at_the_same_time(pod):
    with exclusive(pod.settings.state / "retraining.lock"), pytest.raises(CommandRunning):
        pod.look()


def test_a_plan_that_cannot_be_carried_out_is_refused_before_anything_begins(pod):
    with pytest.raises(InvalidDocument, match="sharpness is no metric"):
        pod.look(challenge={"metric": "sharpness"})
    assert pod.journal.plans() == {}


def test_the_job_tells_its_schedule_that_the_latest_run_has_failed(pod, monkeypatch):
    monkeypatch.setenv("RAYGATE_STATE_DIRECTORY", str(pod.settings.state))
    monkeypatch.setenv("RAYGATE_CONTROLLER", "http://controller:8001")
    monkeypatch.setenv("RAYGATE_MONITOR", "http://serving:8000/monitor/metrics")
    monkeypatch.setenv("RAYGATE_LOG_KEYS", "the keys themselves, as gateways have them")
    monkeypatch.setattr(scheduled, "serving_of", lambda settings: pod.serving)
    monkeypatch.setattr(retrain, "perform", lambda name, settings, tell: pod.perform(name))
    pod.ends = State.FAILED
    pod.plan.write_text(yaml.safe_dump(pod.document))
    assert retrain.main(["--plan", str(pod.plan)]) == 1
    assert retrain.main(["--plan", str(pod.plan)]) == 1
    assert scheduled.ScheduledSettings().log_keys == "env:RAYGATE_LOG_KEYS"
