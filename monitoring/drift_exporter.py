"""Drift and data quality as Prometheus series; of each version the worst features only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from deployments.contracts import metric_names as names
from deployments.contracts.distributions import PackageKey
from monitoring.data_quality import FeatureQuality
from monitoring.drift.comparison import Comparison
from monitoring.drift.judgement import VersionDrift
from monitoring.label_limits import busiest
from monitoring.version_series import VERSION_LABELS

Judged = Mapping[PackageKey, VersionDrift]
Labels = tuple[str, str, str]

FEATURES = 20
"""Features of a version that have series of their own."""

_COMPARED: tuple[tuple[str, str, Callable[[Comparison], float | None]], ...] = (
    (names.FEATURE_DRIFT_PSI, "Population stability index of a feature", lambda one: one.psi),
    (
        names.FEATURE_DRIFT_P_VALUE,
        "p-value of a feature's test, corrected over the features",
        lambda one: one.adjusted_p_value,
    ),
    (
        names.FEATURE_DRIFT_JENSEN_SHANNON,
        "Jensen-Shannon distance of a feature, 0 to 1",
        lambda one: one.jensen_shannon,
    ),
    (
        names.FEATURE_DRIFT_WASSERSTEIN,
        "Wasserstein distance of a numeric feature in standard deviations of the reference",
        lambda one: one.wasserstein,
    ),
)
_QUALITY: tuple[tuple[str, str, Callable[[FeatureQuality], float]], ...] = (
    (names.FEATURE_NULL_RATIO, "Share of rows without a value", lambda one: one.null_ratio),
    (
        names.FEATURE_EXCESS_NULL_RATIO,
        "Share of rows without a value, less that of training",
        lambda one: one.excess_nulls,
    ),
    (
        names.FEATURE_OUTSIDE_RATIO,
        "Share of rows with a value that training never saw",
        lambda one: one.outside_ratio,
    ),
)


class DriftExporter(Collector):
    """Collects from the latest judgement; what could not be judged has no index, and is counted as such.

    Args:
        judged: The latest judgement.
        environment: Value of the ``environment`` label.
        features: How many features of a version have series, the worst by their index.
    """

    def __init__(self, judged: Callable[[], Judged], environment: str, features: int = FEATURES) -> None:
        self._judged, self._environment, self._features = judged, environment, features

    def collect(self) -> Iterator[Metric]:
        """Every series, from one judgement."""
        versions = busiest(self._judged(), lambda drift: drift.rows, self._environment)
        yield from self._of_versions(versions)
        worst = [(labels, drift, drift.worst(self._features)) for labels, drift in versions]
        for name, documentation, figure in _COMPARED:
            family = self._family(name, documentation, "feature")
            for labels, _, features in worst:
                for feature, compared in features:
                    if (value := figure(compared)) is not None:
                        family.add_metric((*labels, feature), value)
            yield family
        for name, documentation, share in _QUALITY:
            family = self._family(name, documentation, "feature")
            for labels, drift, _ in worst:
                for feature, quality in _worst_quality(drift, self._features):
                    family.add_metric((*labels, feature), share(quality))
            yield family

    def _of_versions(self, versions: Iterable[tuple[Labels, VersionDrift]]) -> Iterator[Metric]:
        rows = self._family(names.DRIFT_WINDOW_ROWS, "Rows in the window that is judged")
        share = self._family(names.DRIFT_SHARE, "Share of the judged features that have drifted")
        counted = self._family(names.DRIFT_FEATURES, "Features by what the window says of them", "level")
        score = self._family(names.PREDICTION_DRIFT_PSI, "Population stability index of the scores")
        for labels, drift in versions:
            rows.add_metric(labels, drift.rows)
            if drift.drifted_share is not None:
                share.add_metric(labels, drift.drifted_share)
            for level, features in drift.counted().items():
                counted.add_metric((*labels, level.value), features)
            if drift.score is not None and drift.score.psi is not None:
                score.add_metric(labels, drift.score.psi)
        yield from (rows, share, counted, score)

    @staticmethod
    def _family(name: str, documentation: str, *more: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(name, documentation, labels=(*VERSION_LABELS, *more))


def _worst_quality(drift: VersionDrift, limit: int) -> list[tuple[str, FeatureQuality]]:
    """Features by how far they are from what training saw."""
    return sorted(
        drift.quality.items(),
        key=lambda item: (-max(item[1].outside_ratio, abs(item[1].excess_nulls)), item[0]),
    )[:limit]
