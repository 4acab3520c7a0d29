import logging
import subprocess
import sys

import pytest

from deployments import tracing


def test_gateway_and_pool_send_one_trace_to_the_collector(collector):
    gateway, pool = tracing.configure("raygate-gateway"), tracing.configure("raygate-pool")
    request = gateway.begin_request("request", [])
    call = gateway.begin_call("call", [request])
    tracing.end(pool.begin_answer("predict", tracing.traceparent(call)), {"raygate.rows": 3})
    tracing.end(call, {})
    tracing.end(request, {})
    pool.close()
    gateway.close()
    services = {name: service for name, (service, _) in collector.spans.items()}
    assert services == {"request": "raygate-gateway", "call": "raygate-gateway", "predict": "raygate-pool"}
    sent = {name: span for name, (_, span) in collector.spans.items()}
    assert len({span.trace_id for span in sent.values()}) == 1
    assert (sent["call"].parent_span_id, sent["predict"].parent_span_id) == (
        sent["request"].span_id,
        sent["call"].span_id,
    )
    assert collector.paths == {"/v1/traces"}


def test_the_environments_service_name_wins(collector, monkeypatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    traced = tracing.configure("raygate-pool")
    tracing.end(traced.begin_request("request", []), {})
    traced.close()
    assert collector.spans["request"][0] == "shop"


@pytest.mark.parametrize(("share", "names"), [("0.0", []), ("1.0", ["request"])], ids=["none", "all"])
def test_the_environments_sampler_is_used(collector, monkeypatch, share, names):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)
    traced = tracing.configure("raygate-gateway")
    tracing.end(traced.begin_request("request", []), {})
    traced.close()
    assert list(collector.spans) == names


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, id="none"),
        pytest.param({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, id="disabled"),
    ],
)
def test_traces_are_off_unless_an_exporter_is_configured(monkeypatch, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert not tracing.configure("raygate-pool").enabled


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_TRACES_EXPORTER", "jaeger"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]
)
def test_a_wrong_setting_is_told_and_stops_nothing(monkeypatch, caplog, name, value):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setenv(name, value)
    with caplog.at_level(logging.WARNING):
        assert not tracing.configure("raygate-pool").enabled
    assert name in caplog.text
    assert value in caplog.text


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"])
def test_an_endpoint_is_enough(monkeypatch, variable):
    monkeypatch.setenv(variable, "http://127.0.0.1:4318")
    traced = tracing.configure("raygate-pool")
    assert traced.enabled
    traced.close()


def test_switched_off_opentelemetry_is_not_even_imported():
    code = (
        "import sys; from deployments import tracing; t = tracing.configure('x');"
        "tracing.end(t.begin_request('r', []), {}); t.begin_call('c', [None]);"
        "print([m for m in sys.modules if m.startswith('opentelemetry')])"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert found.stdout.strip() == "[]"
