import asyncio

import pytest
from opentelemetry.trace import StatusCode

from deployments import tracing
from deployments.contracts.wire import PoolReply, PoolRequest
from deployments.runtime import columns as columnar
from deployments.version_pool import VersionPool


@pytest.fixture
def ask(rows, packaged, traced, monkeypatch):
    """Call a pool and return its reply."""
    monkeypatch.setattr(tracing, "configure", lambda service: traced)
    pool = VersionPool(str(packaged.directory), packaged.digest)

    def call(parent, fingerprint=packaged.schema.fingerprint, explain=()):
        columns = columnar.from_frame(rows.head(4), packaged.schema)
        request = PoolRequest(fingerprint, columns, list("abcd"), 10.0, traceparent=parent, explain=explain)
        return PoolReply.from_plain(asyncio.run(pool.predict(request.to_plain())))

    return call


def test_an_answer_is_a_child_of_the_gateways_call(ask, traced, exporter):
    call = traced.begin_call("call", [traced.begin_request("request", [])])
    reply = ask(tracing.traceparent(call), explain=(0, 3))
    (span,) = exporter.get_finished_spans()
    assert span.parent.span_id == call.get_span_context().span_id
    assert span.attributes == {
        "raygate.model": "shop",
        "raygate.model_version": "1.0.0",
        "raygate.rows": 4,
        "raygate.path": "compiled",
        "raygate.model_seconds": reply.model_seconds,
        "raygate.row_errors": 0,
        "raygate.explained_rows": 2,
    }


def test_a_refusal_is_an_error_of_the_span(ask, traced, exporter):
    call = traced.begin_call("call", [traced.begin_request("request", [])])
    assert ask(tracing.traceparent(call), fingerprint="another").refusal == "schema"
    (span,) = exporter.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "schema")


def test_a_call_that_is_not_sampled_leaves_no_span(ask, exporter):
    assert len(ask("").scores) == 4
    assert exporter.get_finished_spans() == ()
