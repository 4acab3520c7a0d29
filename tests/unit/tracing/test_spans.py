import re

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from deployments import tracing
from deployments.tracing import Tracing

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = [(b"host", b"here"), (b"traceparent", f"00-{TRACE}-{PARENT}-01".encode())]
NOT_SAMPLED = [(b"traceparent", f"00-{TRACE}-{PARENT}-00".encode())]
PREDICT = "POST /api/v1/predict"


def named(exporter, name):
    return next(span for span in exporter.get_finished_spans() if span.name == name)


def begun(traced, count):
    return [traced.begin_request(f"request {number}", []) for number in range(count)]


def test_a_request_continues_its_callers_trace(traced, exporter):
    tracing.end(traced.begin_request(PREDICT, SAMPLED), {"http.response.status_code": 200})
    span = named(exporter, PREDICT)
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT
    assert span.kind is SpanKind.SERVER
    assert span.attributes == {"http.response.status_code": 200}


def test_a_request_that_its_caller_does_not_sample_leaves_no_span(traced, exporter):
    request = traced.begin_request(PREDICT, NOT_SAMPLED)
    call = traced.begin_call("call", [request])
    for span in (call, request):
        tracing.end(span, {})
    assert (request, call, tracing.traceparent(call)) == (None, None, "")
    assert exporter.get_finished_spans() == ()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="none"),
        pytest.param([(b"traceparent", b"\xff\xfe")], id="bytes"),
        pytest.param([(b"traceparent", f"00-{'0' * 32}-{PARENT}-01".encode())], id="zero-trace"),
        pytest.param([(b"traceparent", b"00-x-y-01" * 1000)], id="long"),
    ],
)
def test_without_a_sound_traceparent_a_request_begins_a_trace(traced, exporter, headers):
    tracing.end(traced.begin_request(PREDICT, headers), {})
    assert named(exporter, PREDICT).parent is None


def test_a_call_is_the_child_of_its_only_request(traced, exporter):
    request = traced.begin_request(PREDICT, SAMPLED)
    tracing.end(traced.begin_call("call", [request]), {})
    call = named(exporter, "call")
    assert call.parent.span_id == request.get_span_context().span_id
    assert (call.kind, call.links) == (SpanKind.CLIENT, ())


def test_a_call_of_several_requests_has_the_first_sampled_one_as_parent_and_links_to_the_others(traced, exporter):
    first, second, third = begun(traced, 3)
    tracing.end(traced.begin_call("call", [None, first, None, second, third]), {})
    call = named(exporter, "call")
    assert call.parent.span_id == first.get_span_context().span_id
    assert [link.context for link in call.links] == [span.get_span_context() for span in (second, third)]


def test_the_pools_span_is_the_calls_child_across_the_wire(traced, exporter):
    call = traced.begin_call("call", begun(traced, 1))
    tracing.end(traced.begin_answer("predict", tracing.traceparent(call)), {})
    answer = named(exporter, "predict")
    assert answer.parent.span_id == call.get_span_context().span_id
    assert answer.context.trace_id == call.get_span_context().trace_id
    assert answer.kind is SpanKind.SERVER


def test_a_traceparent_has_the_form_of_the_standard(traced):
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-0[13]", tracing.traceparent(begun(traced, 1)[0]))


def test_a_pool_begins_no_trace_of_its_own(traced):
    assert traced.begin_answer("predict", "") is None


def test_the_callers_tracestate_reaches_the_call(traced, exporter):
    request = traced.begin_request(PREDICT, [*SAMPLED, (b"tracestate", b"vendor=1")])
    tracing.end(traced.begin_call("call", [request]), {})
    assert named(exporter, "call").context.trace_state.get("vendor") == "1"


def test_a_failure_is_the_spans_status(traced, exporter):
    tracing.end(traced.begin_request(PREDICT, []), {}, "DEADLINE_EXCEEDED")
    status = named(exporter, PREDICT).status
    assert (status.status_code, status.description) == (StatusCode.ERROR, "DEADLINE_EXCEEDED")


def test_switched_off_there_are_no_spans_and_nothing_to_end():
    off = Tracing()
    spans = [
        off.begin_request(PREDICT, SAMPLED),
        off.begin_call("call", [None]),
        off.begin_answer("x", "00-1-1-01"),
    ]
    assert (off.enabled, spans) == (False, [None, None, None])
    tracing.end(spans[0], {})
    off.close()
