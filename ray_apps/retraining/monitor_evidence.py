"""What the monitor says of a version, out of its Prometheus text."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from deployments.contracts import metric_names as names
from deployments.contracts.model_version import ModelVersion
from monitoring.drift.limits import Level
from ray_apps.retraining.decision import Evidence, Measured

_INTERVAL = {
    names.MODEL_PERFORMANCE: "value",
    names.MODEL_PERFORMANCE_LOWER: "lower",
    names.MODEL_PERFORMANCE_UPPER: "upper",
    names.MODEL_PERFORMANCE_BASELINE: "baseline",
}
_log = logging.getLogger("raygate.retraining")


def asked(ask: Callable[[], httpx.Response], stable: ModelVersion) -> Evidence | None:
    """The evidence on a version; None where the monitor does not answer, which is said.

    Args:
        ask: For the monitor's Prometheus text.
        stable: The version.
    """
    try:
        text = ask().raise_for_status().text
    except httpx.HTTPError as error:
        _log.warning("the monitor does not answer: %s", error)
        return None
    return evidence_in(text, stable)


def evidence_in(text: str, stable: ModelVersion) -> Evidence:
    """Read the evidence on a version; what the text does not say is not known."""
    levels: dict[str, int] = {}
    psi: dict[str, float] = {}
    quality: defaultdict[str, dict[str, float]] = defaultdict(dict)
    labelled = 0
    for sample in _samples(text, stable):
        if sample.name == names.DRIFT_FEATURES:
            levels[sample.labels["level"]] = int(sample.value)
        elif sample.name == names.FEATURE_DRIFT_PSI:
            psi[sample.labels["feature"]] = sample.value
        elif sample.name == names.LABELLED_ROWS:
            labelled = int(sample.value)
        elif sample.name in _INTERVAL:
            quality[sample.labels["metric"]][_INTERVAL[sample.name]] = sample.value
    return Evidence(
        version=stable.version,
        judged=sum(count for level, count in levels.items() if level != Level.NOT_ENOUGH_DATA),
        critical=levels.get(Level.CRITICAL, 0),
        psi=psi,
        labelled=labelled,
        quality={metric: Measured(**found) for metric, found in quality.items() if len(found) == len(_INTERVAL)},
    )


def _samples(text: str, stable: ModelVersion) -> list[Sample]:
    wanted = {"model": stable.model, "version": str(stable.version)}
    return [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if wanted.items() <= sample.labels.items()
    ]
