"""The window's figures as Prometheus series."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Lock
from typing import TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from deployments.contracts import metric_names as names
from deployments.contracts.snapshot import VersionCounts
from monitoring import version_series
from monitoring.label_limits import AdmittedLabels, LabelLimits
from monitoring.totals import VersionTotals
from monitoring.window import Heard, Window

Value = TypeVar("Value")


SETTLING_SECONDS = 1.5
"""Every gateway has spoken so long after the first: each sends twice a second."""


class WindowExporter(Collector):
    """Collects from the window of the moment; safe to be scraped from several threads.

    A sum in which a gateway is missing, as after a restart of the monitor, would be less than the one before it,
    and Prometheus would take what makes it whole again for new events. So sums have no series until the window
    has settled.

    Args:
        window: The window of the moment.
        clock: The time, as the window has it.
        environment: Value of the ``environment`` label.
        limits: Of label values.
        settling_seconds: From the first gateway heard of to the first sums.
    """

    def __init__(
        self,
        window: Callable[[], Window],
        clock: Callable[[], float],
        environment: str,
        limits: LabelLimits | None = None,
        settling_seconds: float = 0.0,
    ) -> None:
        self._window, self._clock, self._environment = window, clock, environment
        self._limits, self._settling = limits or LabelLimits(), settling_seconds
        self._admitted = AdmittedLabels()
        self._lock = Lock()

    def registry(self) -> CollectorRegistry:
        """A registry with these series only: nothing of the process that happens to expose them."""
        registry = CollectorRegistry()
        registry.register(self)
        return registry

    def collect(self) -> Iterator[Metric]:
        """Every series, from one state of the window."""
        window, now = self._window(), self._clock()
        with self._lock:
            families = self._gateway_families(window.live(now))
            if window.first_heard is not None and now - window.first_heard >= self._settling:
                families += self._sums(window, now)
        yield from families

    def _sums(self, window: Window, now: float) -> list[Metric]:
        totals = window.totals()
        counted = sorted(self._bounded(totals.versions).items())
        age = GaugeMetricFamily(
            names.SNAPSHOT_AGE_SECONDS, "Time since any gateway was heard of", labels=("environment",)
        )
        if (seconds := window.age(now)) is not None:
            age.add_metric((self._environment,), seconds)
        return [*version_series.families(counted, self._environment), age, *self._figures(totals.figures)]

    def _bounded(self, summed: VersionTotals) -> VersionTotals:
        limits, admit = self._limits, self._admitted.admit
        bounded: VersionTotals = {}
        for (model, version), counts in sorted(summed.items()):
            model = admit(model, ("model",), limits.models)
            version = admit(version, ("version", model), limits.versions)
            requests: dict[str, int] = {}
            for outcome, count in sorted(counts.requests.items()):
                outcome = admit(outcome, ("outcome",), limits.outcomes)
                requests[outcome] = requests.get(outcome, 0) + count
            labels: dict[str, int] = {}
            for label, count in sorted(counts.labels.items()):
                label = admit(label, ("prediction", model), limits.predictions)
                labels[label] = labels.get(label, 0) + count
            # What is left of `counts` has codes out of the gateway's closed list for labels, or none.
            part = replace(counts, requests=requests, labels=labels)
            bounded.setdefault((model, version), VersionCounts()).add(part)
        return bounded

    def _gateway_families(self, live: tuple[Heard, ...]) -> list[Metric]:
        gateways = GaugeMetricFamily(names.GATEWAYS, "Gateway replicas heard of lately", labels=("environment",))
        gateways.add_metric((self._environment,), len(live))
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
        return [gateways, epoch, weight]

    def _figures(self, figures: dict[str, float]) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily] = {}
        for name, figure in names.GATEWAY_FIGURES.items():
            labels = ("code", "environment") if figure.code else ("environment",)
            family = families.setdefault(
                figure.metric, CounterMetricFamily(figure.metric, figure.says, labels=labels)
            )
            family.add_metric((*((figure.code,) if figure.code else ()), self._environment), figures.get(name, 0))
        yield from families.values()

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
