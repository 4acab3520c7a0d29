from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from deployments.contracts.distributions import Distributions
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.model_version import Version
from deployments.contracts.package import InferencePath, ModelMetadata, Parity, Task
from deployments.contracts.prediction_id import make
from deployments.contracts.request_record import Decision, FeedbackRecord, RequestRecord, Stage
from deployments.prediction_log import reader
from deployments.prediction_log.writer import PredictionLog
from deployments.storage.errors import StorageUnreachable
from monitoring.quality.label_store import LOOKS, READ_AGAIN, LabelHorizon, LabelStore
from monitoring.quality.watch import PAUSE, QualityWatch

SCHEMA = FeatureSchema(features=(Feature(name="Income", kind=FeatureKind.NUMBER),))
METADATA = ModelMetadata(
    model="credit_risk",
    version=Version(1, 0, 0),
    task=Task.BINARY,
    classes=("good", "bad"),
    path=InferencePath.COMPILED,
    parity=Parity(rows=0, max_difference=None, label_flips=0, tolerance=0.0),
    family="lightgbm",
    created=datetime(2026, 1, 1, tzinfo=UTC),
)
QUANTITY = METADATA.model_copy(update={"task": Task.REGRESSION, "classes": ()})
PACKAGE = ("credit_risk", "1.0.0", "d" * 64)


class Log:
    """A gateway's log in a directory; what it is told is there as soon as ``written`` returns."""

    def __init__(self, directory):
        self.uri, self._gateways, self._log = str(directory), 0, None

    def __enter__(self):
        self._gateways += 1
        self._log = PredictionLog(self.uri, f"gateway-{self._gateways}")
        return self

    def __exit__(self, *_):
        self._log.close()

    def predict(self, score, *, stage=Stage.LIVE, name=None, metadata=METADATA):
        name = name or make("abcd")
        self._log.record(
            RequestRecord(
                endpoint="credit-risk",
                model="credit_risk",
                stage=stage,
                decision=Decision("1.0.0", "1.0.0", "random", 1.0, 1),
                caller="",
                began=datetime.now(UTC).timestamp(),
                latency_seconds=0.01,
                model_seconds=0.001,
                attempts=1,
                path="compiled",
                outcome="OK",
                prediction_ids=[name],
                schema=SCHEMA,
                metadata=metadata,
                numbers=[1.0],
                texts=[],
                scores=np.array([[1 - score, score]] if metadata.classes else [[score]]),
            )
        )
        return name

    def label(self, name, label, number=0, received=None):
        moment = (received or datetime.now(UTC)).timestamp()
        self._log.feedback(FeedbackRecord(name, label, None, moment, f"{name}-{label}-{number}"))


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path)


def now():
    return datetime.now(UTC) + timedelta(seconds=1)


def out_of_reach(*_, **__):
    raise StorageUnreachable("s3://log", "the bucket does not answer")


def truths(store):
    return store.rows("credit_risk", "1.0.0", Task.BINARY).truth.tolist()


def test_labels_are_joined_to_their_predictions_in_the_order_of_these(log):
    with log:
        first, second, _ = log.predict(0.9), log.predict(0.2), log.predict(0.5)
        log.label(second, "bad")
        log.label(first, "bad")
    store = LabelStore(log.uri)
    store.refresh(now())
    rows = store.rows("credit_risk", "1.0.0", Task.BINARY)
    assert store.versions() == [("credit_risk", "1.0.0")]
    assert rows.predicted.tolist() == ["bad", "good"]
    assert rows.truth.tolist() == ["bad", "bad"]
    assert rows.scores[:, 1].tolist() == pytest.approx([0.9, 0.2])


def test_a_late_label_is_joined_when_it_comes_and_a_corrected_one_replaces_it(log):
    store = LabelStore(log.uri)
    with log:
        name = log.predict(0.9)
    store.refresh(now())
    assert store.versions() == []
    for label in ("good", "bad"):
        with log:
            log.label(name, label)
        for _ in range(3):  # what was read before is read again for a while
            store.refresh(now())
            assert truths(store) == [label]


def test_an_old_label_that_is_sent_again_does_not_undo_the_correction(log):
    store = LabelStore(log.uri)
    with log:
        name = log.predict(0.9)
        log.label(name, "good", received=now() - 4 * READ_AGAIN)
    store.refresh(now() - 2 * READ_AGAIN)
    with log:
        log.label(name, "bad")
    with log:  # another gateway does not know that it was taken
        log.label(name, "good")
    store.refresh(now())
    assert truths(store) == ["bad"]


def test_a_correction_that_is_taken_back_before_it_was_joined_changes_nothing(log, monkeypatch):
    store = LabelStore(log.uri)
    with log:
        name = log.predict(0.9)
        log.label(name, "good")
    store.refresh(now())
    with log:
        log.label(name, "bad")
    with monkeypatch.context() as broken:
        broken.setattr("monitoring.quality.label_store.reader.read", out_of_reach)
        with pytest.raises(StorageUnreachable):
            store.refresh(now())
    with log:
        log.label(name, "good", number=1)
    store.refresh(now())
    assert truths(store) == ["good"]


def test_of_many_predictions_only_those_that_were_judged_are_held(log, monkeypatch):
    held, read = [], reader.read

    def spied(*args, **options):
        table = read(*args, **options)
        held.append(table.num_rows)
        return table

    monkeypatch.setattr("monitoring.quality.label_store.reader.read", spied)
    with log:
        names = [log.predict(0.9) for _ in range(50)]
        log.label(names[7], "bad")
    LabelStore(log.uri).refresh(now())
    assert held == [1]


def test_what_is_no_quantity_is_left_out_and_counted(log):
    with log:
        for label in (2.5, "n/a", float("inf"), "[]"):
            log.label(log.predict(3.0, metadata=QUANTITY), label)
    store = LabelStore(log.uri)
    store.refresh(now())
    found = store.rows("credit_risk", "1.0.0", Task.REGRESSION)
    assert (found.truth.tolist(), found.unreadable) == ([2.5], 3)


def test_a_label_that_is_in_the_log_before_its_prediction_waits_for_it(log):
    store, name = LabelStore(log.uri), make("abcd")
    with log:
        log.label(name, "bad")
    store.refresh(now())
    assert truths(store) == []
    with log:
        log.predict(0.7, name=name)
    store.refresh(now())
    assert truths(store) == ["bad"]


def test_a_label_of_a_prediction_that_was_not_remembered_is_given_up(log, monkeypatch):
    with log:
        log.label(make("abcd"), "bad")
    store = LabelStore(log.uri)
    for _ in range(LOOKS):
        store.refresh(now())
    monkeypatch.setattr("monitoring.quality.label_store.reader.read", None)
    store.refresh(now())


def test_a_shadow_answer_to_the_same_row_is_not_judged(log):
    with log:
        name = log.predict(0.9)
        log.predict(0.1, stage=Stage.SHADOW, name=name)
        log.label(name, "bad")
    store = LabelStore(log.uri)
    store.refresh(now())
    assert store.rows("credit_risk", "1.0.0", Task.BINARY).predicted.tolist() == ["bad"]


def test_what_is_kept_is_bounded_by_rows_and_by_age(log):
    with log:
        for place in range(10):
            log.label(log.predict(place / 10), "bad" if place >= 7 else "good")
    store = LabelStore(log.uri, LabelHorizon(rows=3))
    store.refresh(now())
    assert truths(store) == ["bad", "bad", "bad"]
    store.refresh(now() + timedelta(days=8))
    assert truths(store) == []


ROWS = Distributions(100, probability=[50 if place in (10, 90) else 0 for place in range(100)])


def calibrated(error=0.02, **metrics):
    return METADATA.model_copy(update={"metrics": {"calibration_error": error, **metrics}})


def test_a_look_tells_what_labels_say_beside_what_scores_let_expect(log):
    with log:
        for place in range(10):
            log.label(log.predict(0.9 if place % 2 else 0.1), "bad" if place in (1, 3, 5, 8) else "good")
    watch, moment = QualityWatch(LabelStore(log.uri)), now()
    watch.look({PACKAGE: ROWS}, {PACKAGE: calibrated(accuracy=0.9, brier=0.1)}, moment)
    found = watch.judged[PACKAGE]
    assert found.labelled == 10
    assert found.measured["accuracy"].value == pytest.approx(0.7)
    assert found.baseline == {"accuracy": 0.9, "calibration_error": 0.02}
    assert found.estimated["accuracy"] == pytest.approx(0.9, abs=0.01)
    assert found.changes is None
    watch.look({}, {}, moment + PAUSE / 2)
    assert watch.judged[PACKAGE] is found
    watch.look({}, {}, moment + PAUSE)
    assert watch.judged == {}


def test_without_the_log_estimates_go_on_and_labels_are_those_of_before(log, monkeypatch):
    with log:
        log.label(log.predict(0.9), "bad")
    watch, moment = QualityWatch(LabelStore(log.uri)), now()
    watch.look({}, {PACKAGE: calibrated()}, moment)
    monkeypatch.setattr("monitoring.quality.label_store.labels.read_feedback", out_of_reach)
    watch.look({PACKAGE: ROWS}, {PACKAGE: calibrated()}, moment + PAUSE)
    assert watch.judged[PACKAGE].estimated["accuracy"] == pytest.approx(0.9, abs=0.01)
    assert watch.judged[PACKAGE].labelled == 1
    assert watch.labels_read == moment


def test_one_package_that_cannot_be_judged_does_not_keep_the_others_from_it():
    other = ("churn", "1.0.0", "e" * 64)
    broken = Distributions(1, probability=["not a count"])
    watch = QualityWatch(None)
    watch.look({other: broken, PACKAGE: ROWS}, {other: calibrated(), PACKAGE: calibrated()}, now())
    assert list(watch.judged) == [PACKAGE]
    assert watch.judged[PACKAGE].estimated


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        pytest.param(calibrated(0.1), None, id="at-the-limit"),
        pytest.param(calibrated(0.101), "not_calibrated", id="over-it"),
        pytest.param(METADATA, "calibration_unknown", id="nobody-measured-it"),
        pytest.param(QUANTITY, None, id="a-quantity-has-none-anyway"),
    ],
)
def test_scores_that_are_not_calibrated_estimate_nothing_and_that_is_told(metadata, reason):
    watch = QualityWatch(None)
    watch.look({PACKAGE: ROWS}, {PACKAGE: metadata}, now())
    found = watch.judged[PACKAGE]
    assert found.withheld == reason
    assert bool(found.estimated) == (reason is None and bool(metadata.classes))
