"""From a fault to the message on somebody's telephone: real Prometheus, real Alertmanager, the shipped files."""

import threading
import time
from contextlib import contextmanager
from pathlib import Path

import alertmanager_server
import httpx
import prometheus_server
import pytest

from deployments.contracts.metric_names import LATENCY_BUCKETS_SECONDS
from deployments.contracts.snapshot import GatewaySnapshot, VersionCounts
from monitoring.exporter import WindowExporter
from monitoring.metrics_server import MetricsServer
from monitoring.window import Window

SHIPPED = Path(__file__).parents[2] / "monitoring" / "alerts"
KEY = ("credit_risk", "1.0.0")


@pytest.fixture
def watching(require_program, tmp_path):
    """Watch a metrics port with everything that is shipped; messages arrive in the inbox."""
    prometheus = require_program("prometheus", package="prometheus")
    alertmanager = require_program("prometheus-alertmanager", package="prometheus-alertmanager")

    def watch(target, inbox, stack):
        address = stack.enter_context(
            alertmanager_server.notifying(alertmanager, tmp_path, SHIPPED / "alertmanager.yaml", inbox)
        )
        return stack.enter_context(
            prometheus_server.scraping(
                prometheus, tmp_path, target, rules=prometheus_server.hurried(tmp_path), alertmanager=address
            )
        )

    return watch


@pytest.fixture
def inbox():
    return alertmanager_server.Inbox()


class FailingGateway:
    """The monitor's own exporter, told of a gateway whose every second request fails."""

    def __init__(self):
        self._window, self._count = Window(), 0
        registry = WindowExporter(lambda: self._window, time.monotonic, "test").registry()
        self.server = MetricsServer(registry, "127.0.0.1", 0)
        self.failing = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._answer, daemon=True)

    def __enter__(self):
        self.server.start()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()
        self.server.stop()

    def _answer(self):
        good = bad = 0
        while not self._stopping.wait(0.2):
            self._count += 1
            good += 10
            bad += 10 if self.failing.is_set() else 0
            latency = [0] * (len(LATENCY_BUCKETS_SECONDS) + 1)
            latency[3] = good + bad
            counts = VersionCounts(requests={"OK": good, "MODEL_ERROR": bad}, latency_counts=latency)
            told = GatewaySnapshot("a", self._count, 0.0, {}, {}, {KEY: counts})
            self._window = self._window.after(told, time.monotonic())


@pytest.fixture
def exits():
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield stack


def test_failing_requests_reach_the_person_on_call_by_all_three_ways_and_nobody_before(watching, inbox, exits):
    gateway = exits.enter_context(FailingGateway())
    target = f"127.0.0.1:{gateway.server.wait_until_bound(5)}"
    prometheus = watching(target, inbox, exits)
    prometheus.wait_for("raygate:requests:rate5m", lambda samples: any(value > 0 for _, value in samples))
    assert inbox.messages == []
    gateway.failing.set()
    assert "credit_risk 1.0.0 fails" in inbox.wait_for("slack", "RaygateErrorRateCritical")
    assert "key-of-the-service" in inbox.wait_for("pagerduty", "docs/runbooks/error-rate.md")
    inbox.wait_for("mail", "RaygateErrorRateCritical")
    gateway.failing.clear()
    inbox.wait_for("slack", "RESOLVED", timeout=90)


@contextmanager
def callers(stack, row):
    """Go on asking, whatever the answer."""
    stopping = threading.Event()

    def call():
        with httpx.Client(base_url=stack.api_url, headers=stack.headers) as client:
            while not stopping.wait(0.05):
                client.post("/api/v1/predict", json={"model_id": "credit-risk", "features": row})

    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    try:
        yield
    finally:
        stopping.set()
        caller.join()


@pytest.mark.parametrize(
    ("port", "alert"),
    [
        pytest.param("metrics_port", "RaygateErrorRateCritical", id="told-by-the-monitor"),
        pytest.param("haproxy_metrics_port", "RaygateListenerErrorRate", id="the-monitor-is-away"),
    ],
)
def test_a_fault_in_a_running_stack_reaches_the_person_on_call(
    stack, rows, applied, watching, inbox, exits, port, alert
):
    watching(f"127.0.0.1:{getattr(stack.settings, port)}", inbox, exits)
    applied(limits={"deadlineSeconds": 0.001})
    with callers(stack, rows[0]):
        inbox.wait_for("pagerduty", alert, timeout=90)
