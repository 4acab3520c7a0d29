"""A monitor that has restarted finds the rows of its window in the prediction log."""

from datetime import UTC, datetime, timedelta

import pytest
from logged_requests import METADATA, NOON, SCHEMA, request

from deployments.contracts.distributions import Distributions, FeatureCounts
from deployments.contracts.reference_profile import FeatureReference, Histogram, ReferenceProfile
from deployments.contracts.request_record import Stage
from deployments.contracts.wire import PoolDescription
from deployments.prediction_log.writer import PredictionLog
from monitoring.drift.watch import DriftWatch
from monitoring.sliding import Span
from ray_apps import window_recall

KEY = ("credit_risk", "1.0.0", "d" * 64)
SPAN = Span(600, 60)
NOW = datetime.fromtimestamp(NOON, UTC)
REFERENCE = ReferenceProfile(
    rows=100,
    features={
        "Income": FeatureReference(nulls=0, histogram=Histogram(edges=(0.0, 10.0, 1000.0), counts=(50, 50))),
        "Job": FeatureReference(nulls=0, categories={"fixed": 60, "freelance": 40}),
        "Age": FeatureReference(nulls=0, histogram=Histogram(edges=(0.0, 50.0, 100.0), counts=(50, 50))),
    },
    score=Histogram(edges=(0.0, 0.5, 1.0), counts=(50, 50)),
)
PACKAGES = {KEY: PoolDescription(KEY[2], SCHEMA, METADATA, REFERENCE)}


@pytest.fixture
def log(tmp_path):
    """Twenty requests a minute apart, the last one a minute ago."""
    writer = PredictionLog(str(tmp_path), "gateway-1")
    for number in range(20):
        writer.record(request(number, began=NOON - 60 * (number + 1)))
    writer.record(request(90, began=NOON - 30, scores=None, outcome="MODEL_UNAVAILABLE"))
    writer.record(request(91, began=NOON + 30))
    writer.close()
    return str(tmp_path)


def test_the_rows_of_the_span_are_counted_step_by_step(log):
    points = window_recall.points(log, PACKAGES, NOW, 1000.0, SPAN)
    assert [point.at for point in points] == [400 + 60 * step for step in range(11)]
    assert [point.observed[KEY].rows for point in points[1:]] == list(range(1, 11))
    counted = points[-1].observed[KEY]
    assert counted.features["Income"].cells == [10, 0]
    assert counted.features["Job"].cells == [10, 0]
    assert counted.score == [10, 0]


def test_personal_data_is_not_counted_as_missing(log):
    counted = window_recall.points(log, PACKAGES, NOW, 1000.0, SPAN)[-1].observed[KEY]
    assert counted.features["Age"] == FeatureCounts([0, 0], encrypted=10)


def test_a_null_share_of_personal_data_is_that_of_the_rows_that_were_seen_in_clear(log):
    past = window_recall.points(log, PACKAGES, NOW, 1000.0, SPAN)
    watch = DriftWatch(span=SPAN)
    watch.recall(past)
    live = Distributions(4, {"Age": FeatureCounts([1, 1], nulls=2)}, [4, 0])
    watch.look({KEY: live}, {KEY: REFERENCE}, 1010.0)
    found = watch.judged[KEY]
    assert found.rows == 14
    assert found.quality["Age"].null_ratio == pytest.approx(0.5)
    assert found.quality["Income"].null_ratio == 0


def test_copies_for_shadows_do_not_count(log):
    writer = PredictionLog(log, "gateway-2")
    for number in range(3):
        writer.record(request(200 + number, began=NOON - 10, stage=Stage.SHADOW))
    writer.close()
    points = window_recall.points(log, PACKAGES, NOW, 1000.0, SPAN)
    assert points[-1].observed[KEY].rows == 10


def test_a_log_without_such_rows_gives_none(log):
    assert window_recall.points(log, PACKAGES, NOW + timedelta(days=1), 1000.0, SPAN) == []
