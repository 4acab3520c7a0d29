"""What a job or a command loads beside the pools must be signed as what is served."""

from datetime import UTC, datetime

import pytest
import yaml
from retraining_examples import STABLE

from deployments.contracts.errors import PackageRejected
from deployments.contracts.package import MANIFEST
from ray_apps import retrain, smoke_tests
from ray_apps.cli import monitor
from ray_apps.retraining.journal import AppliedPlan
from ray_apps.retraining.local import journal_of
from ray_apps.retraining.plan import RetrainingPlan
from ray_apps.retraining.run import State, Trigger, TriggerKind, begun
from ray_apps.settings import Settings
from training import config as training_config

TRAINING = {
    "model": STABLE.model,
    "source": {"kind": "csv", "path": "rows.csv"},
    "target": {"column": "Status"},
    "versions": [{"version": "1.0.0", "family": "lightgbm"}],
}


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A stack whose own store holds a package that nobody signed."""
    for name in ("MODEL_PATH", "RAYGATE_TRUSTED_KEYS"):
        monkeypatch.delenv(name, raising=False)
    made = Settings(state_directory=tmp_path)
    retrain.places_of(made)  # makes the key that signs here
    package = made.models / STABLE.model / f"v{STABLE.version}"
    package.mkdir(parents=True)
    (package / MANIFEST).write_text("{}")
    return made


@pytest.fixture
def run(settings):
    """A run that was decided, and not done yet."""
    file, now = settings.state / "training.yaml", datetime.now(UTC)
    file.write_text(yaml.safe_dump(TRAINING))
    fields = {"endpoint": "credit-risk", "triggers": {"every": "1d"}, "challenge": {"metric": "log_loss"}}
    plan = RetrainingPlan.model_validate({**fields, "training": str(file)})
    content = training_config.read(file).model_dump_json()
    journal = journal_of(settings)
    journal.apply(AppliedPlan(plan=plan, training=content, directory=settings.state, applied=now))
    trigger = Trigger(kind=TriggerKind.PERSON, text="asked for")
    made = begun("credit-risk", STABLE.model, STABLE.version, trigger, "ada", now)
    return journal.begin("credit-risk", lambda runs: made)


def test_retraining_does_not_judge_by_it(settings, run):
    with pytest.raises(PackageRejected, match="it is not signed"):
        retrain.perform(run.name, settings, lambda line: None)
    failed = journal_of(settings).run(run.name)
    assert failed.state is State.FAILED
    assert f"v{STABLE.version} is refused: it is not signed" in failed.notes[-1].text


def test_smoke_tests_do_not_compute_by_it(settings):
    with pytest.raises(PackageRejected, match="it is not signed"):
        smoke_tests.expected_answers(settings, STABLE)


def test_a_report_is_not_made_of_it(settings, tmp_path):
    with pytest.raises(PackageRejected, match="it is not signed"):
        monitor.write(settings, STABLE, datetime.now(UTC), 24.0, tmp_path / "report.html")
