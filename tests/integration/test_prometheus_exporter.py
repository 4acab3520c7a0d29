"""What a real Prometheus makes of the exporter's text; needs no Ray."""

import time

import prometheus_server
import pytest

from deployments.contracts.metric_names import LATENCY_BUCKETS_SECONDS
from deployments.contracts.snapshot import GatewaySnapshot, VersionCounts
from deployments.rollout.errors import EvidenceUnavailable
from deployments.rollout.prometheus_figures import PrometheusFigures
from monitoring.exporter import WindowExporter
from monitoring.metrics_server import MetricsServer
from monitoring.window import Window

KEY = ("credit_risk", "1.1.0")
BETWEEN_20_AND_30_MS = LATENCY_BUCKETS_SECONDS.index(0.03)


def snapshot(gateway, requests):
    latency = [0] * (len(LATENCY_BUCKETS_SECONDS) + 1)
    latency[BETWEEN_20_AND_30_MS] = requests
    counts = VersionCounts(requests={"OK": requests}, latency_counts=latency, latency_sum=0.025 * requests)
    return GatewaySnapshot(gateway, requests, time.time(), {}, {}, {KEY: counts})


@pytest.fixture
def monitor():
    """A window behind a metrics port: what the Monitor deployment is made of."""

    class Monitor:
        window = Window()

        def tell(self, told):
            self.window = self.window.after(told, time.monotonic())

    monitor = Monitor()
    registry = WindowExporter(lambda: monitor.window, time.monotonic, "test").registry()
    server = MetricsServer(registry, "127.0.0.1", 0)
    server.start()
    monitor.port = server.wait_until_bound(5)
    yield monitor
    server.stop()


def test_prometheus_adds_up_gateways_rates_and_quantiles(monitor, require_program, tmp_path):
    program = require_program("prometheus", package="prometheus")
    monitor.tell(snapshot("a", 100))
    with prometheus_server.scraping(program, tmp_path, f"127.0.0.1:{monitor.port}") as prometheus:
        requests = 'sum by (version) (ml_scoring_requests_total{model="credit_risk",outcome="OK"})'
        assert prometheus.wait_for(requests, lambda samples: samples != []) == [({"version": "1.1.0"}, 100.0)]

        monitor.tell(snapshot("b", 50))
        prometheus.wait_for(requests, lambda samples: samples == [({"version": "1.1.0"}, 150.0)])
        grown = "increase(ml_scoring_requests_total[1m])"
        prometheus.wait_for(grown, lambda samples: any(value > 0 for _, value in samples))

        p95 = "histogram_quantile(0.95, sum by (le) (rate(ml_scoring_latency_seconds_bucket[1m])))"
        [(_, seconds)] = prometheus.wait_for(p95, lambda samples: samples != [])
        assert 0.02 < seconds <= 0.03
        assert {value for _, value in prometheus.query("ml_scoring_errors_total")} == {0.0}


def test_a_rollout_is_judged_by_what_prometheus_knows(monitor, require_program, tmp_path):
    program = require_program("prometheus", package="prometheus")
    monitor.tell(snapshot("a", 100))
    monitor.tell(snapshot("b", 50))
    with prometheus_server.scraping(program, tmp_path, f"127.0.0.1:{monitor.port}") as prometheus:
        prometheus.wait_for("raygate_snapshot_age_seconds", lambda samples: samples != [])
        figures = PrometheusFigures(prometheus.url, "test").of("credit_risk")
        counts = figures.counts["1.1.0"]
        assert (counts.requests["OK"], counts.latency_counts[BETWEEN_20_AND_30_MS]) == (150, 150)
        assert sum(counts.latency_counts) == 150
        with pytest.raises(EvidenceUnavailable, match="heard of a gateway never"):
            PrometheusFigures(prometheus.url, "production").of("credit_risk")
    with pytest.raises(EvidenceUnavailable, match=f"Prometheus at {prometheus.url} does not answer"):
        PrometheusFigures(prometheus.url, "test").of("credit_risk")
