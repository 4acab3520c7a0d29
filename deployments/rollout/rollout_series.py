"""Rollouts as Prometheus series: of each endpoint the latest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from deployments.contracts import metric_names as names
from deployments.contracts.verdict import Outcome
from deployments.rollout.state import Phase, Rollout

ENDPOINTS = 100
"""Endpoints that have series: the first by name. Phases and outcomes are few, checks are those of the plan."""


class RolloutSeries(Collector):
    """Collects from the store of the moment.

    Args:
        rollouts: The latest rollout by endpoint.
        environment: Value of the ``environment`` label.
    """

    def __init__(self, rollouts: Callable[[], Mapping[str, Rollout]], environment: str) -> None:
        self._rollouts, self._environment = rollouts, environment

    def registry(self) -> CollectorRegistry:
        """A registry with these series only."""
        registry = CollectorRegistry()
        registry.register(self)
        return registry

    def collect(self) -> Iterator[Metric]:
        """Every series, from one state of the store.

        Each phase and each outcome of a check has a series, 1 for the present one and 0 for the others.
        """
        phase = self._family(names.ROLLOUT_PHASE, "Whether the latest rollout is in this phase (1)", "phase")
        weight = self._family(
            names.ROLLOUT_WEIGHT, "Share of the traffic that the latest rollout decided on", "version"
        )
        check = self._family(
            names.ROLLOUT_CHECK, "Whether a check said this in the last verdict (1)", "check", "outcome"
        )
        for endpoint, rollout in sorted(self._rollouts().items())[:ENDPOINTS]:
            for one in Phase:
                phase.add_metric((endpoint, self._environment, one.value), float(one is rollout.state.phase))
            for version, share in rollout.weights.items():
                weight.add_metric((endpoint, self._environment, str(version)), share / 100)
            verdict = rollout.state.verdict
            for finding in verdict.findings if verdict else ():
                for outcome in Outcome:
                    labels = (endpoint, self._environment, finding.check, outcome.value)
                    check.add_metric(labels, float(outcome is finding.outcome))
        yield from (phase, weight, check)

    @staticmethod
    def _family(name: str, documentation: str, *more: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(name, documentation, labels=("endpoint", "environment", *more))
