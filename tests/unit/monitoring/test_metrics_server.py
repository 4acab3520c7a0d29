import gzip
import socket
import threading
import urllib.error
import urllib.request
from contextlib import closing

import pytest
from prometheus_client import CollectorRegistry, Gauge

from monitoring.metrics_server import MetricsServer


@pytest.fixture
def registry():
    registry = CollectorRegistry()
    Gauge("raygate_gateways", "Gateways", registry=registry).set(2)
    return registry


@pytest.fixture
def serve(registry):
    servers = []

    def start(port=0):
        server = MetricsServer(registry, "127.0.0.1", port, retry_seconds=0.02)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


def get(port, path="/metrics", **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.headers, answer.read()


def test_the_metrics_port_answers_prometheus_text(serve):
    headers, body = get(serve().wait_until_bound(5))
    assert b"raygate_gateways 2.0" in body
    assert headers["Content-Type"].startswith("text/plain")


def test_a_scraper_that_asks_for_gzip_and_openmetrics_gets_them(serve):
    headers, body = get(
        serve().wait_until_bound(5), **{"Accept": "application/openmetrics-text", "Accept-Encoding": "gzip"}
    )
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body).endswith(b"# EOF\n")


def test_other_paths_are_not_found(serve):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(serve().wait_until_bound(5), "/")


def test_a_replica_takes_the_port_over_once_the_old_one_lets_go(serve):
    old = serve()
    port = old.wait_until_bound(5)
    new = serve(port)
    with pytest.raises(TimeoutError, match=f"127.0.0.1:{port} could not be bound"):
        new.wait_until_bound(0.1)
    old.stop()
    assert new.wait_until_bound(5) == port
    assert b"raygate_gateways" in get(port)[1]


def test_stopping_frees_the_port_and_ends_the_thread(serve):
    server = serve()
    port = server.wait_until_bound(5)
    server.stop()
    server.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "metrics-server"]
    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))


def test_a_server_that_still_waits_for_its_port_can_be_stopped(serve):
    waiting = serve(serve().wait_until_bound(5))
    waiting.stop()
    assert len([thread for thread in threading.enumerate() if thread.name == "metrics-server"]) == 1
