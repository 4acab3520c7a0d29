"""``raygate stream``: records of a Kafka topic in, predictions out."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ray_apps.cli import callers_key, console
from ray_apps.settings import Settings

if TYPE_CHECKING:
    from deployments.streaming.figures import StreamFigures
    from deployments.streaming.stream_file import PredictionStream
    from ray_apps.stream import StreamRun

app = typer.Typer(help="Records of a Kafka topic in, predictions out.", no_args_is_help=True)
TELL_SECONDS = 10


@app.callback()
def _group() -> None:
    """Keep ``run`` a command of its own."""


@app.command()
def run(
    file: Annotated[Path, typer.Option("-f", "--file", help="stream file", exists=True, dir_okay=False)],
    metrics_port: Annotated[
        int, typer.Option(help="Prometheus text of the stream at /metrics; 0 exposes none", min=0, max=65535)
    ] = 9098,
) -> None:
    """Work until Ctrl-C; workers run on the stack's Ray and are started again when they die."""
    from deployments.runtime import document as documents
    from deployments.streaming.stream_file import PredictionStream
    from ray_apps.stream import StreamRun

    settings = Settings()
    stream = documents.read(file, PredictionStream)
    running = StreamRun(stream, settings, callers_key.reference(settings))
    with _exposed(running, stream, settings, metrics_port):
        running.start()
        spec = stream.spec
        console.say(f"{stream.name}: {spec.input} -> {spec.results}, rejected to {spec.rejected}; Ctrl-C ends it")
        with _interrupted() as stopping:  # after Ray has started, which sets handlers of its own
            running.run(stopping, _Teller())
    console.say(_summary(running.figures))


class _Teller:
    """Prints a line every ten seconds in which records came out."""

    def __init__(self) -> None:
        self._looks, self._last = 0, ""

    def __call__(self, figures: Mapping[int, StreamFigures]) -> None:
        self._looks += 1
        line = _summary(figures)
        if self._looks % TELL_SECONDS == 0 and line != self._last:
            self._last = line
            console.say(line)


def _summary(figures: Mapping[int, StreamFigures]) -> str:
    from deployments.contracts.metric_names import OK

    records = [counted.records for counted in figures.values()]
    out = sum(sum(counts.values()) for counts in records)
    results = sum(counts.get(OK, 0) for counts in records)
    lag = sum(sum(counted.lag.values()) for counted in figures.values())
    line = f"{results} results, {out - results} rejected, {lag} records behind, {len(figures)} workers"
    waiting = sorted({counted.waiting_for for counted in figures.values()} - {""})
    return f"{line}; waits for {'; '.join(waiting)}" if waiting else line


@contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set."""
    stopping = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stopping.set()) for number in signals]
    try:
        yield stopping
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def _exposed(running: StreamRun, stream: PredictionStream, settings: Settings, port: int) -> Iterator[None]:
    """Answer Prometheus while the block runs.

    Raises:
        PortInUse: Somebody else has the port.
    """
    if port == 0:
        yield
        return
    from prometheus_client import CollectorRegistry, start_http_server

    from deployments.contracts.errors import PortInUse
    from deployments.streaming.exposition import StreamCollector

    registry = CollectorRegistry()
    registry.register(StreamCollector(stream.name, settings.environment, lambda: running.figures))
    try:
        server, thread = start_http_server(port, settings.host, registry)
    except OSError as error:
        raise PortInUse(
            port, "metrics of the stream, --metrics-port", error.strerror or "somebody else"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
