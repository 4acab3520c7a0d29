"""The limits that a monitor was told, as Prometheus series: what rules may compare with."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from deployments.contracts import metric_names as names
from monitoring.config import MonitoringConfig


class LimitsExporter(Collector):
    """Exposes nothing where nobody is to be woken.

    Args:
        config: What the monitor was told.
        environment: Value of the ``environment`` label.
    """

    def __init__(self, config: MonitoringConfig, environment: str) -> None:
        self._config, self._environment = config, environment

    def collect(self) -> Iterator[Metric]:
        """One series a limit."""
        thresholds = self._config.thresholds
        limits = {
            "psi_warning": thresholds.psi_warning,
            "psi_critical": thresholds.psi_critical,
            "latency_seconds": thresholds.latency_ms / 1000,
        }
        family = GaugeMetricFamily(
            names.ALERT_LIMIT,
            "From where on the monitor's owner wants to hear of it",
            labels=("limit", "environment"),
        )
        for name, value in limits.items() if self._config.alerts else ():
            family.add_metric((name, self._environment), value)
        yield family
