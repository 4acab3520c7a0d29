"""OpenTelemetry spans through gateway and pool; off, and free, unless an exporter is configured.

Configured by OpenTelemetry's own environment variables: ``OTEL_EXPORTER_OTLP_ENDPOINT`` (or
``..._TRACES_ENDPOINT``) switches traces on, ``OTEL_TRACES_EXPORTER=console`` prints them, ``OTEL_TRACES_SAMPLER``
and its argument choose which requests have one. A caller's W3C ``traceparent`` is followed, its sampling flag
included.

    request (gateway, server) ─► call (gateway, client) ─► predict (pool, server)
        a second request whose rows share the call ┄┄link┄┄┘

A call carries rows of several requests, and a span has one parent: that of the first request that is sampled.
The other sampled requests are links of the call's span. So under light load, where a request has a call of its
own, its trace is whole; under heavy load a call lies in the trace of one of its requests and points at those of
the others.

Spans are passed by hand: a context variable that follows each task would cost every request, traced or not. What
is not sampled has no span at all, but None. No span holds a feature's value.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Link, Span, SpanKind

Headers = Iterable[tuple[bytes, bytes]]
Attributes = Mapping[str, str | bool | int | float]

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_log = logging.getLogger("raygate.tracing")


class Tracing:
    """Begins and ends the spans of one process.

    Args:
        provider: Where spans go; None switches all of this off.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("raygate") if provider else None

    @property
    def enabled(self) -> bool:
        """Whether anything is traced at all."""
        return self._tracer is not None

    def begin_request(self, name: str, headers: Headers) -> Span | None:
        """Begin the span of an HTTP request.

        Args:
            name: Method and route, such as ``POST /api/v1/predict``.
            headers: Of the request, names in lower case; ``traceparent`` and ``tracestate`` are followed.

        Returns:
            The span, or None if the request is not sampled.
        """
        if self._tracer is None:
            return None
        from opentelemetry.trace import SpanKind

        carrier = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in headers
            if name in (b"traceparent", b"tracestate")
        }
        return self._begin(name, SpanKind.SERVER, _named_parent(carrier))

    def begin_call(self, name: str, requests: Iterable[Span | None]) -> Span | None:
        """Begin the span of one call to a pool on behalf of requests.

        Returns:
            A child of the first sampled request, linked to the others; None if none of them is sampled.
        """
        if self._tracer is None:
            return None
        sampled = [request for request in requests if request is not None]
        if not sampled:
            return None
        from opentelemetry.context import Context
        from opentelemetry.trace import Link, SpanKind, set_span_in_context

        links = [Link(request.get_span_context()) for request in sampled[1:]]
        return self._begin(name, SpanKind.CLIENT, set_span_in_context(sampled[0], Context()), links)

    def begin_answer(self, name: str, parent: str) -> Span | None:
        """Begin the pool's span of a call.

        Args:
            name: What is done.
            parent: The call's ``traceparent``; without one there is no span: a pool begins no trace.
        """
        if self._tracer is None or not parent:
            return None
        from opentelemetry.trace import SpanKind

        return self._begin(name, SpanKind.SERVER, _named_parent({"traceparent": parent}))

    def close(self) -> None:
        """Send what is still unsent; for the end of the process."""
        if self._provider is not None:
            self._provider.shutdown()

    def _begin(self, name: str, kind: SpanKind, context: Context, links: list[Link] | None = None) -> Span | None:
        assert self._tracer is not None
        span = self._tracer.start_span(name, context, kind, links=links)
        return span if span.is_recording() else None


def end(span: Span | None, attributes: Attributes, failure: str = "") -> None:
    """End a span.

    Args:
        span: None is a request that is not sampled.
        attributes: What is known now.
        failure: An error code, or empty.
    """
    if span is None:
        return
    from opentelemetry.trace import Status, StatusCode

    span.set_attributes(attributes)
    if failure:
        span.set_status(Status(StatusCode.ERROR, failure))
    span.end()


def traceparent(span: Span | None) -> str:
    """The W3C ``traceparent`` that names a span as the parent; empty without one."""
    if span is None:
        return ""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def configure(service: str) -> Tracing:
    """Tracing as the environment has it; call once a process, at its start.

    A wrong setting switches traces off with a warning: predictions do not depend on them.

    Args:
        service: ``service.name`` of the spans, unless ``OTEL_SERVICE_NAME`` is set.
    """
    exporters = _exporters()
    if not exporters:
        return Tracing()
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME") or service})
    provider = TracerProvider(resource=resource)
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider)


def _named_parent(carrier: Mapping[str, str]) -> Context:
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    # Onto an empty context, not the current one: another library's span is not our parent.
    return TraceContextTextMapPropagator().extract(carrier, Context())


def _exporters() -> list[SpanExporter]:
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return []
    wanted = os.environ.get("OTEL_TRACES_EXPORTER") or ("otlp" if _first_set(_ENDPOINTS) else "none")
    found = [_exporter(name.strip()) for name in wanted.split(",")]
    return [exporter for exporter in found if exporter is not None]


def _exporter(name: str) -> SpanExporter | None:
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    if name == "otlp":
        protocol = _first_set(_PROTOCOLS)
        if protocol in ("", "http/protobuf"):
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            return OTLPSpanExporter()
        _log.warning("no traces: OTEL_EXPORTER_OTLP_PROTOCOL is %r; it must be http/protobuf", protocol)
    elif name != "none":
        _log.warning("no traces: OTEL_TRACES_EXPORTER is %r; it must be otlp, console or none", name)
    return None


def _first_set(names: Iterable[str]) -> str:
    return next((value for name in names if (value := os.environ.get(name))), "")
