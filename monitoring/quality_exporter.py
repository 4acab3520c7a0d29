"""Quality as Prometheus series: measured on labels, estimated without, beside the baseline of the package."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from deployments.contracts import metric_names as names
from monitoring.label_limits import busiest
from monitoring.quality.watch import QualityWatch, VersionQuality
from monitoring.version_series import VERSION_LABELS

_FIGURES: tuple[tuple[str, str, Callable[[VersionQuality], Mapping[str, float]]], ...] = (
    (
        names.MODEL_PERFORMANCE,
        "Quality on labels",
        lambda one: {name: figure.value for name, figure in one.measured.items()},
    ),
    (
        names.MODEL_PERFORMANCE_LOWER,
        "Lower end of its interval of 95 % confidence",
        lambda one: {name: figure.lower for name, figure in one.measured.items()},
    ),
    (
        names.MODEL_PERFORMANCE_UPPER,
        "Upper end of its interval of 95 % confidence",
        lambda one: {name: figure.upper for name, figure in one.measured.items()},
    ),
    (names.MODEL_PERFORMANCE_BASELINE, "Quality on the test split", lambda one: one.baseline),
    (
        names.MODEL_PERFORMANCE_ESTIMATE,
        "Quality as calibrated scores let expect it, without labels",
        lambda one: one.estimated,
    ),
)


class QualityExporter(Collector):
    """Collects from the latest look.

    Args:
        watch: What looks.
        environment: Value of the ``environment`` label.
    """

    def __init__(self, watch: QualityWatch, environment: str) -> None:
        self._watch, self._environment = watch, environment

    def collect(self) -> Iterator[Metric]:
        """Every series, from one look."""
        versions = busiest(self._watch.judged, lambda quality: quality.labelled, self._environment)
        for name, documentation, figures in _FIGURES:
            family = GaugeMetricFamily(name, documentation, labels=(*VERSION_LABELS, "metric"))
            for labels, quality in versions:
                for metric, value in sorted(figures(quality).items()):
                    family.add_metric((*labels, metric), value)
            yield family
        labelled = GaugeMetricFamily(
            names.LABELLED_ROWS, "Rows with a label within the horizon", labels=VERSION_LABELS
        )
        unreadable = GaugeMetricFamily(
            names.UNREADABLE_LABELS, "Labels of a quantity that are no number", labels=VERSION_LABELS
        )
        withheld = GaugeMetricFamily(
            names.MODEL_PERFORMANCE_ESTIMATE_WITHHELD,
            "Why a classifier has no estimate of its quality (1)",
            labels=(*VERSION_LABELS, "reason"),
        )
        changed = GaugeMetricFamily(
            names.CONCEPT_DRIFT,
            "Whether a detector finds the error risen (1)",
            labels=(*VERSION_LABELS, "detector"),
        )
        for labels, quality in versions:
            labelled.add_metric(labels, quality.labelled)
            unreadable.add_metric(labels, quality.unreadable)
            if quality.withheld is not None:
                withheld.add_metric((*labels, quality.withheld.value), 1)
            for detector, change in (quality.changes or {}).items():
                changed.add_metric((*labels, detector), float(change.worse))
        yield from (labelled, unreadable, withheld, changed)
        read = GaugeMetricFamily(names.LABELS_READ_SECONDS, "When labels were last read", labels=("environment",))
        if self._watch.labels_read is not None:
            read.add_metric((self._environment,), self._watch.labels_read.timestamp())
        yield read
