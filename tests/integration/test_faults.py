"""What may die under load without a caller noticing."""

import os
import signal
import time

import psutil


def wait_until(condition, timeout_s=60.0):
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.1)


def killed_under_load(load, stack, application):
    """Kill one of an application's two replicas under load and go on until there is a new one."""
    first, *others = stack.replica_pids(application)
    with load() as requests:
        requests.await_answers(200)
        os.kill(first, signal.SIGKILL)
        requests.await_answers(600)
        wait_until(lambda: len(set(stack.replica_pids(application)) - {first}) == len(others) + 1)
        requests.await_answers(200)
    return requests


def test_a_killed_pool_replica_fails_no_request(load, stack):
    requests = killed_under_load(load, stack, "credit_risk_v1.0.0")
    assert requests.failed == []
    assert requests.worst_seconds < 5


def test_a_killed_gateway_fails_no_request(load, stack):
    requests = killed_under_load(load, stack, "raygate-gateway")
    assert requests.failed == []
    assert requests.worst_seconds < 5


def test_a_killed_serve_controller_fails_no_request_and_comes_back(load, stack):
    def controllers():
        return [
            process.pid
            for process in psutil.process_iter(["cmdline", "environ"])
            if "ServeController" in " ".join(process.info["cmdline"] or [])
            and (process.info["environ"] or {}).get("RAYGATE_STATE_DIRECTORY") == str(stack.settings.state)
        ]

    (controller,) = controllers()
    with load() as requests:
        requests.await_answers(200)
        os.kill(controller, signal.SIGKILL)
        requests.await_answers(600)
        wait_until(lambda: controllers() not in ([], [controller]))
        wait_until(lambda: all(app["status"] == "RUNNING" for app in stack.applications().values()))
        requests.await_answers(200)
    assert requests.failed == []


def test_a_killed_monitor_fails_no_request_and_its_figures_come_back(load, stack):
    import httpx

    (monitor,) = stack.replica_pids("raygate-monitor")
    with load() as requests:
        requests.await_answers(200)
        os.kill(monitor, signal.SIGKILL)
        requests.await_answers(400)

        def counted():
            try:
                text = httpx.get(stack.settings.metrics_url, timeout=5).text
            except httpx.HTTPError:
                return False
            return "ml_scoring_requests_total{" in text

        wait_until(counted)
    assert requests.failed == []
