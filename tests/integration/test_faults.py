"""What may die under load without a caller noticing."""

import contextlib
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest
from misbehaving_model import HANGS_AT, RAISES_AT
from prometheus_client.parser import text_string_to_metric_families
from waiting import wait_until

from deployments.prediction_log import reader


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
    assert requests.worst_seconds < 10


def test_a_killed_gateway_fails_no_request(load, stack):
    requests = killed_under_load(load, stack, "raygate-gateway")
    assert requests.failed == []
    assert requests.worst_seconds < 10


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


def told(stack, name):
    """What the monitor says of credit_risk, all versions together; 0 while it does not answer."""
    try:
        text = httpx.get(stack.settings.metrics_url, timeout=5).text
    except httpx.HTTPError:
        return 0
    return sum(
        one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == name and one.labels.get("model") == "credit_risk"
    )


def test_a_killed_monitor_fails_no_request_and_its_figures_come_back(load, stack):
    (monitor,) = stack.replica_pids("raygate-monitor")
    with load() as requests:
        requests.await_answers(600)
        before = len(requests.outcomes)
        os.kill(monitor, signal.SIGKILL)
        requests.await_answers(200)
        wait_until(lambda: told(stack, "ml_scoring_requests_total"))
    assert requests.failed == []
    # The gateways live: what they counted before is told again, within a snapshot.
    wait_until(lambda: told(stack, "ml_scoring_requests_total") >= len(requests.outcomes))
    # Of the window the log alone knows the rows of before; it is read 45 s after the start.
    since = len(requests.outcomes) - before
    wait_until(lambda: told(stack, "ml_drift_window_rows") > max(before, since), 120)


def test_a_stopped_pool_replica_fails_no_request(load, stack):
    """SIGSTOP: it keeps its connections and never answers; health checks replace it."""
    first, _ = stack.replica_pids("credit_risk_v1.0.0")
    with load(rate=100) as requests:
        requests.await_answers(100)
        os.kill(first, signal.SIGSTOP)
        try:
            requests.await_answers(300)
            wait_until(lambda: first not in stack.replica_pids("credit_risk_v1.0.0"), 120)
            wait_until(lambda: len(stack.replica_pids("credit_risk_v1.0.0")) == 2)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(first, signal.SIGKILL)
        requests.await_answers(200)
    assert requests.failed == []
    assert requests.worst_seconds < 10


def test_with_every_replica_of_a_candidate_killed_stable_answers(load, stack, split):
    split("1.0.0=50", "1.1.0=50")
    with load() as requests:
        requests.await_answers(200)
        for replica in stack.replica_pids("credit_risk_v1.1.0"):
            os.kill(replica, signal.SIGKILL)
        killed = time.monotonic()
        requests.await_answers(400)
        wait_until(lambda: "1.1.0" in requests.versions(since=time.monotonic() - 1), 90)
    assert requests.failed == []
    assert requests.versions(since=killed)["1.0.0"] > 0
    assert requests.worst_seconds < 10


@pytest.mark.parametrize(
    ("fault", "statuses", "worst_seconds"),
    [
        pytest.param(signal.SIGKILL, {503}, 10, id="killed"),
        pytest.param(signal.SIGSTOP, {503, 504}, 12, id="stopped"),
    ],
)
def test_without_any_replica_of_stable_callers_are_told_at_once(
    load, stack, split, fault, statuses, worst_seconds
):
    """503 with Retry-After, at once from when the gateways know; until then requests wait for a replica.

    They know when a probe has had no answer for three seconds; one begins every second. Killed ones may be
    back by then, stopped ones are not.
    """
    split("1.0.0=100")
    with load() as requests:
        requests.await_answers(100)
        replicas = stack.replica_pids("credit_risk_v1.0.0")
        for replica in replicas:
            os.kill(replica, fault)
        known = requests.now() + 5
        requests.await_answers(200, 120)
        for replica in replicas:
            with contextlib.suppress(ProcessLookupError):
                os.kill(replica, signal.SIGKILL)
        wait_until(lambda: {one.status for one in requests.outcomes[-50:]} == {200}, 120)
    assert {outcome.status for outcome in requests.failed} <= statuses
    assert all(float(outcome.retry_after) > 0 for outcome in requests.failed if outcome.status == 503)
    told = [outcome.seconds for outcome in requests.failed if outcome.began > known]
    assert max(told, default=0) < 1
    assert told or fault is signal.SIGKILL
    assert requests.worst_seconds < worst_seconds


def test_a_model_that_raises_or_hangs_on_some_rows_harms_no_others(load, stack, rows, applied, misbehaving):
    applied(({"version": misbehaving, "role": "candidate"},), limits={"deadlineSeconds": 4, "attemptSeconds": 1})
    raised = stack.predict({**rows[0], "Age": RAISES_AT}, model_version=misbehaving)
    assert (raised.status_code, raised.json()["code"]) == (500, "MODEL_ERROR")
    mixed = stack.predict([{**rows[0], "Age": age} for age in (30, RAISES_AT, 40)], model_version=misbehaving)
    assert [entry["prediction"] is None for entry in mixed.json()["predictions"]] == [False, True, False]
    with load() as requests:
        requests.await_answers(100)
        hung = stack.predict({**rows[0], "Age": HANGS_AT}, model_version=misbehaving)
        requests.await_answers(100)
    assert hung.status_code in (503, 504)
    assert requests.failed == []


def test_a_redis_that_goes_costs_no_request(load, stack, applied, real_redis):
    applied(cache={"enabled": True})
    with load() as requests:
        requests.await_answers(200)
        real_redis.kill()
        requests.await_answers(300)
        real_redis.start()
        requests.await_answers(200)
    assert requests.failed == []
    assert requests.worst_seconds < 10


@contextlib.contextmanager
def log_gone(stack):
    log = Path(stack.settings.prediction_log)
    aside = log.with_name("aside")
    log.rename(aside)
    log.write_text("a file where the log should be")
    yield
    log.unlink()
    aside.rename(log)


@contextlib.contextmanager
def log_full(stack):
    """The gateways get EFBIG for every byte, as they would get ENOSPC from a full disk."""
    gateways = [psutil.Process(found) for found in stack.replica_pids("raygate-gateway")]
    limits = [gateway.rlimit(psutil.RLIMIT_FSIZE) for gateway in gateways]
    for gateway, (_, hard) in zip(gateways, limits, strict=True):
        gateway.rlimit(psutil.RLIMIT_FSIZE, (0, hard))
    yield
    for gateway, limit in zip(gateways, limits, strict=True):
        gateway.rlimit(psutil.RLIMIT_FSIZE, limit)


@pytest.mark.parametrize("unwritable", [log_gone, log_full])
def test_a_log_that_cannot_be_written_costs_no_request_and_loses_nothing(load, stack, unwritable):
    log, since, before = stack.settings.prediction_log, datetime.now(UTC), failed_writes(stack)
    with load() as requests:
        requests.await_answers(100)
        with unwritable(stack):
            requests.await_answers(400)
            wait_until(lambda: failed_writes(stack) > before, 120)
        requests.await_answers(100)
    assert requests.failed == []
    wanted = len(requests.outcomes)
    wait_until(lambda: reader.read(log, since=since, columns=["prediction_id"]).num_rows >= wanted, 150)


def failed_writes(stack):
    text = httpx.get(stack.settings.metrics_url, timeout=5).text
    return sum(
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith("raygate_log_write_failures_total{")
    )
