from datetime import UTC, datetime

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from reference_profiles import profile, window

from monitoring.drift.watch import DriftWatch
from monitoring.drift_exporter import DriftExporter
from monitoring.quality.concept_drift import Change
from monitoring.quality.estimated import Withheld
from monitoring.quality.figure import Figure
from monitoring.quality.watch import QualityWatch, VersionQuality
from monitoring.quality_exporter import QualityExporter

KEY = ("credit_risk", "1.0.0", "d" * 64)
VERSION = {"model": "credit_risk", "version": "1.0.0", "environment": "test"}


def samples(collector, name):
    registry = CollectorRegistry()
    registry.register(collector)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return [(one.labels, one.value) for family in families for one in family.samples if one.name == name]


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def watched(rng, rows, shift=(), features=20):
    reference, watch = profile(rng), DriftWatch()
    watch.look({KEY: window(rng, reference, rows, shift=shift)}, {KEY: reference}, now=1.0)
    return DriftExporter(lambda: watch.judged, "test", features)


def test_the_worst_features_are_exported_and_no_more_than_the_bound(rng):
    exporter = watched(rng, 2000, shift=("category 7", "number 2"), features=3)
    psi = {labels["feature"]: value for labels, value in samples(exporter, "ml_feature_drift_psi")}
    assert len(psi) == 3
    assert psi["category 7"] > 0.25
    assert psi["number 2"] > 0.1
    assert len(samples(exporter, "ml_feature_null_ratio")) == 3


def test_a_version_tells_how_many_features_drifted_and_which_share(rng):
    exporter = watched(rng, 2000, shift=("category 7",))
    assert samples(exporter, "ml_drift_share") == [(VERSION, pytest.approx(0.05))]
    assert samples(exporter, "ml_drift_window_rows") == [(VERSION, 2000)]
    levels = {labels["level"]: value for labels, value in samples(exporter, "ml_drift_features")}
    assert levels == {"stable": 19, "warning": 0, "critical": 1, "not_enough_data": 0}
    assert samples(exporter, "ml_prediction_drift_psi")[0][1] < 0.05


def test_a_small_window_has_no_index_and_says_so(rng):
    exporter = watched(rng, 20)
    assert samples(exporter, "ml_feature_drift_psi") == []
    assert samples(exporter, "ml_drift_share") == []
    levels = {labels["level"]: value for labels, value in samples(exporter, "ml_drift_features")}
    assert levels["not_enough_data"] == 20


def test_a_package_whose_reference_is_not_known_yet_is_left_for_later(rng):
    reference, watch = profile(rng), DriftWatch()
    watch.look({KEY: window(rng, reference, 2000)}, {}, now=1.0)
    assert watch.judged == {}


def test_one_package_with_other_bins_does_not_keep_the_others_from_being_judged(rng):
    reference, watch = profile(rng), DriftWatch()
    other = ("credit_risk", "1.1.0", "e" * 64)
    broken = window(rng, reference, 2000)
    broken.features["number 0"].cells.append(5)
    watch.look({other: broken, KEY: window(rng, reference, 2000)}, {KEY: reference, other: reference}, now=1.0)
    assert set(watch.judged) == {KEY}


def test_quality_is_told_with_its_interval_its_baseline_and_the_estimate():
    watch = QualityWatch(None)
    watch.judged = {
        KEY: VersionQuality(
            labelled=200,
            measured={"accuracy": Figure(0.8, 0.74, 0.85)},
            baseline={"accuracy": 0.9},
            estimated={"accuracy": 0.82},
            changes={"adwin": Change(True, 150)},
            withheld=Withheld.NOT_CALIBRATED,
            unreadable=3,
        )
    }
    watch.labels_read = datetime(2026, 1, 1, tzinfo=UTC)
    exporter = QualityExporter(watch, "test")
    metric = {**VERSION, "metric": "accuracy"}
    assert samples(exporter, "ml_model_performance") == [(metric, 0.8)]
    assert samples(exporter, "ml_model_performance_lower") == [(metric, 0.74)]
    assert samples(exporter, "ml_model_performance_baseline") == [(metric, 0.9)]
    assert samples(exporter, "ml_model_performance_estimate") == [(metric, 0.82)]
    assert samples(exporter, "ml_labelled_rows") == [(VERSION, 200)]
    assert samples(exporter, "ml_unreadable_labels") == [(VERSION, 3)]
    withheld = samples(exporter, "ml_model_performance_estimate_withheld")
    assert withheld == [({**VERSION, "reason": "not_calibrated"}, 1)]
    assert samples(exporter, "ml_concept_drift") == [({**VERSION, "detector": "adwin"}, 1)]
    assert samples(exporter, "raygate_labels_read_timestamp_seconds")[0][1] == 1767225600
