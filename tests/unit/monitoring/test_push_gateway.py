"""Series reach a real push gateway."""

import logging
import socket
import subprocess
import time
from contextlib import closing

import httpx
import pytest
from prometheus_client import CollectorRegistry, Gauge
from waiting import wait_until

from monitoring import push
from monitoring.push import Push


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def registry():
    made = CollectorRegistry()
    Gauge("ml_drift_share", "Share", ["environment"], registry=made).labels("test").set(0.25)
    return made


@pytest.fixture
def gateway(require_program):
    program = require_program("prometheus-pushgateway", package="prometheus-pushgateway")
    url = f"http://127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [program, f"--web.listen-address={url.removeprefix('http://')}", "--log.level=error"]
    )
    try:
        wait_until(lambda: process.poll() is None and answers(url))
        yield url
    finally:
        process.terminate()
        process.wait()


def answers(url):
    try:
        return httpx.get(f"{url}/-/ready", timeout=2).is_success
    except httpx.HTTPError:
        return False


def test_what_is_pushed_can_be_scraped_there(gateway, registry):
    pushing = Push(gateway, registry, "staging", pause_seconds=0.05)
    pushing.start()
    try:
        wanted = 'ml_drift_share{environment="test",instance="staging",job="raygate"} 0.25'
        wait_until(lambda: wanted in httpx.get(f"{gateway}/metrics", timeout=5).text)
    finally:
        pushing.stop()


def test_a_gateway_that_is_away_is_told_once_and_asked_again(registry, caplog, said):
    pushing = Push(f"http://127.0.0.1:{free_port()}", registry, "staging", pause_seconds=0.01)
    with caplog.at_level(logging.WARNING, "raygate.monitor"):
        pushing.start()
        wait_until(lambda: said("raygate.monitor"))
        time.sleep(0.2)
        pushing.stop()
    assert len(said("raygate.monitor")) == 1


def test_a_collector_that_fails_does_not_end_the_pushing(registry, caplog, monkeypatch):
    asked = []

    def fails_at_first(*arguments, **options):
        asked.append(arguments)
        if len(asked) == 1:
            raise ValueError("a window that nobody expected")

    monkeypatch.setattr(push, "push_to_gateway", fails_at_first)
    pushing = push.Push("http://127.0.0.1:9091", registry, "staging", pause_seconds=0.01)
    pushing.start()
    wait_until(lambda: len(asked) > 1)
    pushing.stop()
    assert "a window that nobody expected" in caplog.text
