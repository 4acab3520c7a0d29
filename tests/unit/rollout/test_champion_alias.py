"""What the registry's adapter does where MLflow does not answer."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deployments.contracts.model_version import ModelVersion, Version
from deployments.rollout.errors import RegistryUnavailable
from ray_apps.champion_alias import MlflowRegistry, reason_of


@pytest.fixture
def overloaded():
    """An MLflow that always answers 503, and what it was asked."""
    asked = []

    class Overloaded(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(503)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Be silent."""

    server = HTTPServer(("127.0.0.1", 0), Overloaded)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_registry_that_does_not_answer_is_given_up_fast(overloaded, monkeypatch):
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
    address, asked = overloaded
    registry = MlflowRegistry(address)
    with pytest.raises(RegistryUnavailable, match="champion"):
        registry.name_champion(ModelVersion("credit_risk", Version(1, 1, 0)))
    assert len(asked) == 2
    from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_TIMEOUT

    assert MLFLOW_HTTP_REQUEST_TIMEOUT.get() == 5


def test_the_same_failure_has_the_same_reason_each_time():
    told = [
        OSError(f"(Caused by ConnectTimeoutError(<HTTPConnection(host='m') at {id(each):#x}>, 'timed out'))\n...")
        for each in (object(), [])
    ]
    first, second = map(reason_of, told)
    assert first == second == "(Caused by ConnectTimeoutError(<HTTPConnection(host='m')>, 'timed out'))"
