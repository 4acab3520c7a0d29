"""What the monitor exposes is what retraining decides on."""

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, generate_latest
from retraining_examples import STABLE

from deployments.contracts.distributions import Distributions, FeatureCounts
from deployments.contracts.reference_profile import FeatureReference, Histogram, ReferenceProfile
from monitoring.drift.watch import DriftWatch
from monitoring.drift_exporter import DriftExporter
from monitoring.quality.figure import Figure
from monitoring.quality.watch import QualityWatch, VersionQuality
from monitoring.quality_exporter import QualityExporter
from ray_apps.retraining.decision import Measured
from ray_apps.retraining.monitor_evidence import evidence_in

KEY = (STABLE.model, str(STABLE.version), "d" * 64)
HALVES = Histogram(edges=(0.0, 0.5, 1.0), counts=(500, 500))


def exposed(rows):
    """The monitor's text after so many rows, all of which are in the upper half of Age."""
    reference = ReferenceProfile(
        rows=1000,
        features={name: FeatureReference(nulls=0, histogram=HALVES) for name in ("Age", "Income")},
        score=HALVES,
    )
    drift, quality = DriftWatch(), QualityWatch(None)
    counts = {"Age": FeatureCounts([0, rows]), "Income": FeatureCounts([rows // 2, rows // 2])}
    drift.look({KEY: Distributions(rows, counts, [rows // 2, rows // 2])}, {KEY: reference}, now=0.0)
    figures = {"roc_auc": Figure(0.7, 0.65, 0.75), "accuracy": Figure(0.8, 0.7, 0.9)}
    quality.judged = {KEY: VersionQuality(labelled=120, measured=figures, baseline={"roc_auc": 0.8})}
    quality.labels_read = datetime.now(UTC)
    registry = CollectorRegistry()
    registry.register(DriftExporter(lambda: drift.judged, "test"))
    registry.register(QualityExporter(quality, "test"))
    return generate_latest(registry).decode()


def test_drift_and_quality_are_read_as_they_are_exposed():
    found = evidence_in(exposed(2000), STABLE)
    assert (found.version, found.judged, found.critical, found.labelled) == (STABLE.version, 2, 1, 120)
    assert found.psi["Age"] > 0.25 > found.psi["Income"]


def test_a_figure_without_a_baseline_is_no_evidence():
    assert evidence_in(exposed(2000), STABLE).quality == {"roc_auc": Measured(0.7, 0.65, 0.75, 0.8)}


def test_a_window_of_a_few_rows_has_judged_nothing():
    found = evidence_in(exposed(20), STABLE)
    assert (found.judged, found.critical) == (0, 0)


def test_what_is_said_of_other_versions_is_left_out():
    other = STABLE.__class__(STABLE.model, STABLE.version.__class__(2, 0, 0))
    assert evidence_in(exposed(2000), other).judged == 0
