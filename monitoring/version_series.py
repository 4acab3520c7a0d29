"""What was counted of model versions, as Prometheus families."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from deployments.contracts import metric_names as names
from deployments.contracts.snapshot import VersionCounts

ALWAYS_EXPOSED_CODES = (
    "VALIDATION_ERROR", "MODEL_ERROR", "OVERLOADED", "MODEL_UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL_ERROR",
)  # fmt: skip
"""Error codes with a series at 0 before the first error: ``rate()`` never sees the step that creates a series."""

VERSION_LABELS = ("model", "version", "environment")
Counted = Iterable[tuple[tuple[str, str], VersionCounts]]

_PLAIN: tuple[tuple[str, str, Callable[[VersionCounts], float]], ...] = (
    (names.SCORING_ROWS, "Rows that have a score", lambda counts: counts.rows),
    (names.MODEL_SECONDS, "Time spent in the model", lambda counts: counts.model_seconds),
    (names.POOL_RETRIES, "Calls to a version's pool that had to be repeated", lambda counts: counts.retries),
    (
        names.SHADOW_DISAGREEMENTS,
        "Copies whose label is not the one that the caller got",
        lambda counts: counts.shadow_disagreements,
    ),
    (names.FEEDBACK, "Feedback on predictions", lambda counts: counts.feedback),
)
_BY_LABEL: tuple[tuple[str, str, str, Callable[[VersionCounts], dict[str, int]]], ...] = (
    (
        names.SCORING_REQUESTS,
        "Requests by outcome: OK or an error code",
        "outcome",
        lambda counts: {names.OK: 0, **counts.requests},
    ),
    (
        names.SCORING_ERRORS,
        "Requests that were not answered with a prediction",
        "code",
        lambda counts: {code: count for code, count in _codes(counts).items() if code != names.OK},
    ),
    (names.SCORING_ROW_ERRORS, "Rows that the model has no score for", "code", lambda counts: counts.row_errors),
    (names.PREDICTIONS, "Rows by returned label", "prediction", lambda counts: counts.labels),
    (
        names.FAILOVERS,
        "Requests of this version that stable answered, by the error that made it so",
        "code",
        lambda counts: counts.failovers,
    ),
    (
        names.CACHE_ROWS,
        "Rows looked for in the result cache",
        "result",
        lambda counts: {"hit": counts.cache_hits, "miss": counts.cache_misses},
    ),
    (
        names.SHADOW_ROWS,
        "Copies of rows for this version as a shadow",
        "result",
        lambda counts: {
            "compared": counts.shadow_rows,
            "dropped": sum(counts.shadow_drops.values()),
            "failed": counts.shadow_failed,
        },
    ),
    (
        names.SHADOW_DROPPED_ROWS,
        "Rows that were not copied to this version as a shadow, by the reason",
        "reason",
        lambda counts: counts.shadow_drops,
    ),
    (
        names.FEEDBACK_OUTCOMES,
        "Predictions of the split's whose feedback has a value, by whether it met the bandit's goal",
        "outcome",
        lambda counts: {"success": counts.feedback_successes, "failure": counts.feedback_failures},
    ),
)


def families(counted: Counted, environment: str) -> Iterator[Metric]:
    """Every series of the versions.

    Args:
        counted: Figures by model and version; their label values are bounded already.
        environment: Value of the ``environment`` label.
    """
    versions = [((model, version, environment), counts) for (model, version), counts in counted]
    for name, documentation, value in _PLAIN:
        plain = CounterMetricFamily(name, documentation, labels=VERSION_LABELS)
        for own, counts in versions:
            plain.add_metric(own, value(counts))
        yield plain
    for name, documentation, label, values in _BY_LABEL:
        labelled = CounterMetricFamily(name, documentation, labels=(*VERSION_LABELS, label))
        for own, counts in versions:
            for text, count in sorted(values(counts).items()):
                labelled.add_metric((*own, text), count)
        yield labelled
    latency = HistogramMetricFamily(
        names.SCORING_LATENCY_SECONDS, "Time of a request in the gateway", labels=VERSION_LABELS
    )
    difference = HistogramMetricFamily(
        names.SHADOW_SCORE_DIFFERENCE,
        "Absolute difference of a shadow's score from the caller's",
        labels=VERSION_LABELS,
    )
    for own, counts in versions:
        _observe(latency, own, names.LATENCY_BUCKETS_SECONDS, counts.latency_counts, counts.latency_sum)
        _observe(
            difference,
            own,
            names.SHADOW_DIFFERENCE_BUCKETS,
            counts.shadow_differences,
            counts.shadow_difference_sum,
        )
    yield latency
    yield difference


def _observe(
    family: HistogramMetricFamily,
    labels: tuple[str, ...],
    bounds: tuple[float, ...],
    counts: list[int],
    total: float,
) -> None:
    upper = (*map(str, bounds), "+Inf")
    family.add_metric(labels, list(zip(upper, accumulate(counts), strict=True)), total)


def _codes(counts: VersionCounts) -> dict[str, int]:
    return {**dict.fromkeys(ALWAYS_EXPOSED_CODES, 0), **counts.requests}
