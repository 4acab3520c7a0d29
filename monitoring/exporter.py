"""The window's figures as Prometheus series."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate
from threading import Lock
from typing import TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from deployments.contracts import metric_names as names
from deployments.contracts.snapshot import VersionCounts
from monitoring import totals
from monitoring.label_limits import AdmittedLabels, LabelLimits
from monitoring.totals import Totals
from monitoring.window import Heard, Window

OK = "OK"
ALWAYS_EXPOSED_CODES = (
    "VALIDATION_ERROR", "MODEL_ERROR", "OVERLOADED", "MODEL_UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL_ERROR",
)  # fmt: skip
"""Error codes with a series at 0 before the first error: ``rate()`` never sees the step that creates a series."""

Value = TypeVar("Value")

_VERSION_LABELS = ("model", "version", "environment")
_BOUNDS = (*(str(bound) for bound in names.LATENCY_BUCKETS_SECONDS), "+Inf")


class WindowExporter(Collector):
    """Collects from the window of the moment; safe to be scraped from several threads."""

    def __init__(
        self,
        window: Callable[[], Window],
        clock: Callable[[], float],
        environment: str,
        limits: LabelLimits | None = None,
    ) -> None:
        self._window, self._clock, self._environment = window, clock, environment
        self._limits = limits or LabelLimits()
        self._admitted = AdmittedLabels()
        self._lock = Lock()

    def registry(self) -> CollectorRegistry:
        """A registry with these series only: nothing of the process that happens to expose them."""
        registry = CollectorRegistry()
        registry.register(self)
        return registry

    def describe(self) -> Iterator[Metric]:
        """Nothing up front: registering must not collect."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Every series, from one state of the window."""
        window, now = self._window(), self._clock()
        with self._lock:
            counted = sorted(self._bounded(window.totals()).items())
            live = window.live(now)
            families = [*self._version_families(counted), *self._gateway_families(window, live, now)]
        yield from families

    def _bounded(self, summed: Totals) -> Totals:
        limits, admit = self._limits, self._admitted.admit
        bounded: Totals = {}
        for (model, version), counts in sorted(summed.items()):
            model = admit(model, ("model",), limits.models)
            version = admit(version, ("version", model), limits.versions)
            part = totals.nothing_counted()
            for outcome, count in sorted(counts.requests.items()):
                outcome = admit(outcome, ("outcome",), limits.outcomes)
                part.requests[outcome] = part.requests.get(outcome, 0) + count
            for label, count in sorted(counts.labels.items()):
                label = admit(label, ("prediction", model), limits.predictions)
                part.labels[label] = part.labels.get(label, 0) + count
            part.row_errors = counts.row_errors  # codes out of the gateway's closed list
            part.latency_counts, part.latency_sum = counts.latency_counts, counts.latency_sum
            part.rows, part.model_seconds, part.retries = counts.rows, counts.model_seconds, counts.retries
            totals.add(bounded, {(model, version): part})
        return bounded

    def _version_families(self, counted: list[tuple[tuple[str, str], VersionCounts]]) -> list[Metric]:
        latency = HistogramMetricFamily(
            names.SCORING_LATENCY_SECONDS, "Time of a request in the gateway", labels=_VERSION_LABELS
        )
        requests = _counter(names.SCORING_REQUESTS, "Requests by outcome: OK or an error code", "outcome")
        errors = _counter(names.SCORING_ERRORS, "Requests that were not answered with a prediction", "code")
        rows = _counter(names.SCORING_ROWS, "Rows that have a score")
        row_errors = _counter(names.SCORING_ROW_ERRORS, "Rows that the model has no score for", "code")
        predictions = _counter(names.PREDICTIONS, "Rows by returned label", "prediction")
        model_seconds = _counter(names.MODEL_SECONDS, "Time spent in the model")
        retries = _counter(names.POOL_RETRIES, "Calls to a version's pool that had to be repeated")
        for (model, version), counts in counted:
            own = (model, version, self._environment)
            cumulative = list(accumulate(counts.latency_counts))
            latency.add_metric(own, list(zip(_BOUNDS, cumulative, strict=True)), counts.latency_sum)
            outcomes = {OK: 0, **counts.requests}
            for outcome, count in sorted(outcomes.items()):
                requests.add_metric((*own, outcome), count)
            codes = {**dict.fromkeys(ALWAYS_EXPOSED_CODES, 0), **outcomes}
            for code, count in sorted(codes.items()):
                if code != OK:
                    errors.add_metric((*own, code), count)
            for label, count in sorted(counts.labels.items()):
                predictions.add_metric((*own, label), count)
            rows.add_metric(own, counts.rows)
            for code, count in sorted(counts.row_errors.items()):
                row_errors.add_metric((*own, code), count)
            model_seconds.add_metric(own, counts.model_seconds)
            retries.add_metric(own, counts.retries)
        return [latency, requests, errors, rows, row_errors, predictions, model_seconds, retries]

    def _gateway_families(self, window: Window, live: tuple[Heard, ...], now: float) -> list[Metric]:
        gateways = GaugeMetricFamily(names.GATEWAYS, "Gateway replicas heard of lately", labels=("environment",))
        gateways.add_metric((self._environment,), len(live))
        age = GaugeMetricFamily(
            names.SNAPSHOT_AGE_SECONDS, "Time since any gateway was heard of", labels=("environment",)
        )
        if (seconds := window.age(now)) is not None:
            age.add_metric((self._environment,), seconds)
        epoch = GaugeMetricFamily(
            names.POLICY_EPOCH, "Policy in force at a gateway", labels=("endpoint", "gateway", "environment")
        )
        for heard in live:
            for endpoint, number in self._known(heard.snapshot.policy_epochs):
                epoch.add_metric((endpoint, heard.snapshot.gateway, self._environment), number)
        weight = GaugeMetricFamily(
            names.TRAFFIC_WEIGHT, "Share of an endpoint's traffic", labels=("endpoint", "version", "environment")
        )
        for endpoint, shares in self._known(weights_in_force(live)):
            for version, share in sorted(shares.items()):
                weight.add_metric((endpoint, version, self._environment), share)
        return [gateways, age, epoch, weight]

    def _known(self, by_endpoint: dict[str, Value]) -> Iterator[tuple[str, Value]]:
        """Those endpoints that are within the limit: a gauge of several endpoints has no sensible sum."""
        for endpoint, value in sorted(by_endpoint.items()):
            if self._admitted.admit(endpoint, ("endpoint",), self._limits.endpoints) == endpoint:
                yield endpoint, value


def weights_in_force(live: tuple[Heard, ...]) -> dict[str, dict[str, float]]:
    """The shares of each endpoint, as the gateway with the newest policy has them.

    While a change spreads, gateways differ for a moment; an average of old and new would be a split that
    nobody asked for.
    """
    newest: dict[str, tuple[int, float]] = {}
    weights: dict[str, dict[str, float]] = {}
    for heard in live:
        for endpoint, shares in heard.snapshot.weights.items():
            rank = (heard.snapshot.policy_epochs.get(endpoint, 0), heard.at)
            if endpoint not in newest or rank > newest[endpoint]:
                newest[endpoint], weights[endpoint] = rank, shares
    return weights


def _counter(name: str, documentation: str, *further_labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, documentation, labels=(*_VERSION_LABELS, *further_labels))
