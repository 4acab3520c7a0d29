from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from deployments.contracts.distributions import Distributions
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.model_version import Version
from deployments.contracts.package import InferencePath, ModelMetadata, Parity, Task
from deployments.contracts.prediction_id import make
from deployments.contracts.request_record import Decision, FeedbackRecord, RequestRecord, Stage
from deployments.prediction_log.writer import PredictionLog
from monitoring.quality.label_store import LOOKS, LabelHorizon, LabelStore
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

    def predict(self, score, *, stage=Stage.LIVE, name=None):
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
                metadata=METADATA,
                numbers=[1.0],
                texts=[],
                scores=np.array([[1 - score, score]]),
            )
        )
        return name

    def label(self, name, label, number=0):
        received = datetime.now(UTC).timestamp()
        self._log.feedback(FeedbackRecord(name, label, None, received, f"{name}-{label}-{number}"))


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path)


def now():
    return datetime.now(UTC) + timedelta(seconds=1)


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
        store.refresh(now())
        assert truths(store) == [label]


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


def test_a_look_tells_what_labels_say_beside_what_scores_let_expect(log):
    with log:
        for place in range(10):
            log.label(log.predict(0.9 if place % 2 else 0.1), "bad" if place in (1, 3, 5, 8) else "good")
    package = ("credit_risk", "1.0.0", "d" * 64)
    watch = QualityWatch(LabelStore(log.uri))
    probability = [0] * 100
    probability[90] = probability[10] = 50
    metadata = METADATA.model_copy(update={"metrics": {"accuracy": 0.9, "brier": 0.1}})
    moment = now()
    watch.look({package: Distributions(100, probability=probability)}, {package: metadata}, moment)
    found = watch.judged[package]
    assert found.labelled == 10
    assert found.measured["accuracy"].value == pytest.approx(0.7)
    assert found.baseline == {"accuracy": 0.9}
    assert found.estimated["accuracy"] == pytest.approx(0.9, abs=0.01)
    assert found.changes is None
    watch.look({}, {}, moment + PAUSE / 2)
    assert watch.judged[package] is found
    watch.look({}, {}, moment + PAUSE)
    assert watch.judged == {}
