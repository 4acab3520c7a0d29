"""``make bench-stream``: from a record's producer to its result's consumer, through the whole stack.

Before, real rows go over HTTP as often, for what a stream adds to that. Brokers are librdkafka's own, on the same
machine; so are producer, stream worker, gateway, pools and consumer.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import console
import contenders
import numpy as np
import open_loop
import page
import raygate_stack
import report
import stream_cpu
import yaml
from console import say
from document import conditions
from open_loop import OpenLoop

sys.path.append(str(Path(__file__).parents[1]))
import kafka_brokers

EXAMPLE = Path(__file__).parents[2] / "examples" / "credit-risk" / "stream.yaml"
LIMIT_MS = 100.0
WARM_UP_SECONDS = 30.0
"""Pools grow in it: the start of a replica takes a core for seconds, and what waits meanwhile is worked off."""
START_SECONDS = 120.0
"""What the worker may need to be there: its first result is waited for."""
APPLICANTS = 1000


@dataclass(frozen=True)
class Run:
    """What was seen at one rate.

    Attributes:
        rate: Records a second that were produced.
        records: Measured, after the warm-up.
        milliseconds: From ``produce`` to the consumer, of each of them.
        missing: Records without a result.
        doubled: Records with more than one.
        cores: That each role kept busy meanwhile.
    """

    rate: float
    records: int
    milliseconds: np.ndarray
    missing: int
    doubled: int
    cores: dict[str, float]

    def percentile(self, share: float) -> float:
        return float(np.percentile(self.milliseconds, share))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=500.0, help="records a second (default 500)")
    parser.add_argument("--seconds", type=float, default=40.0, help="measured (default 40)")
    parser.add_argument("--output", type=Path, default=page.PAGE, help="default docs/benchmarks.md")
    console.run(partial(_run, parser.parse_args()))


def _run(arguments: argparse.Namespace) -> None:
    busy = console.busy_percent()
    with raygate_stack.running() as stack:
        direct = _over_http(stack, arguments.rate, arguments.seconds)
        with kafka_brokers.running() as brokers, _streaming(stack, brokers):
            run = measure(stack, brokers, arguments.rate, arguments.seconds)
    measured = conditions(busy, report.machine_facts(), datetime.now(UTC))
    text = document(run, direct, measured)
    page.write(arguments.output, "make bench-stream", text)
    print(text)
    say(f"Written to {arguments.output}")


def _over_http(stack: raygate_stack.Stack, rate: float, seconds: float) -> OpenLoop:
    target, bodies = stack.contender("Raygate").row, contenders.bodies(1)
    open_loop.run(target, bodies, rate, WARM_UP_SECONDS)
    direct = open_loop.run(target, bodies, rate, seconds)
    say(f"  over HTTP at {rate:g}/s: p50 {direct.p50:.1f} ms, p95 {direct.p95:.1f} ms")
    return direct


@contextmanager
def _streaming(stack: raygate_stack.Stack, brokers: str) -> Iterator[None]:
    """``raygate stream run`` with one worker."""
    file = contenders.STATE / "stream.yaml"
    text = yaml.safe_load(EXAMPLE.read_text())
    text["spec"].update(brokers=brokers, workers=1, clientOptions=kafka_brokers.FETCH)
    file.write_text(yaml.safe_dump(text), encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("raygate")),
        "stream",
        "run",
        "-f",
        str(file),
        "--metrics-port",
        "0",
    ]
    process = subprocess.Popen(command, env={**os.environ, **stack.environment}, cwd=contenders.REPOSITORY)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _row(stack: raygate_stack.Stack) -> dict[str, Any]:
    from deployments.contracts.model_version import ModelVersion
    from ray_apps.local.first_predictions import sample_rows

    (row,) = sample_rows(stack.settings.models, ModelVersion.parse("credit_risk_v1.0.0"), 1)
    return row


def measure(stack: raygate_stack.Stack, brokers: str, rate: float, seconds: float) -> Run:
    """Produce at a steady rate and read the results."""
    spec, row = yaml.safe_load(EXAMPLE.read_text())["spec"], _row(stack)
    sent: dict[str, float] = {}
    reader = kafka_brokers.Reader(brokers, spec["results"])
    _send_one_through(brokers, spec["input"], row, reader)
    arrived: list[tuple[str, float]] = []
    ended = threading.Event()
    listening = threading.Thread(target=_listen, args=(reader, arrived, ended))
    count = int((WARM_UP_SECONDS + seconds) * rate)
    producing = threading.Thread(target=_produce, args=(brokers, spec["input"], count, rate, row, sent))
    producing.start()
    listening.start()
    cores = _cores_after_warm_up(stack, producing)
    deadline = time.monotonic() + 30
    while len({source for source, _ in arrived}) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    ended.set()
    listening.join()
    return _run_of(rate, sent, arrived, cores)


def _cores_after_warm_up(stack: raygate_stack.Stack, producing: threading.Thread) -> dict[str, float]:
    processes = stack.contender("Raygate").processes
    time.sleep(WARM_UP_SECONDS)
    began, before = time.monotonic(), stream_cpu.times(processes())
    producing.join()
    return stream_cpu.cores(before, stream_cpu.times(processes()), time.monotonic() - began)


def _run_of(rate: float, sent: dict[str, float], arrived: list[tuple[str, float]], cores: dict[str, float]) -> Run:
    begin = min(sent.values()) + WARM_UP_SECONDS
    first: dict[str, float] = {}
    for source, at in arrived:
        first.setdefault(source, at)
    measured = {source: at for source, at in sent.items() if at >= begin}
    waits = [1000 * (first[source] - at) for source, at in measured.items() if source in first]
    doubled = len(arrived) - len(first)
    return Run(rate, len(measured), np.array(waits), len(sent) - len(first), doubled, cores)


def _send_one_through(brokers: str, topic: str, row: dict[str, Any], reader: kafka_brokers.Reader) -> None:
    """Wait until the worker answers; without it what is measured would be the backlog of its start."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": brokers})
    producer.produce(topic, json.dumps(row).encode(), "probe")
    assert producer.flush(20) == 0
    reader.read_until(len, START_SECONDS)


def _produce(
    brokers: str, topic: str, count: int, rate: float, row: dict[str, Any], sent: dict[str, float]
) -> None:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 5})
    value, began = json.dumps(row).encode(), time.time()

    def note(at: float, error: Any, message: Any) -> None:
        assert error is None, error
        sent[f"{message.topic()}/{message.partition()}/{message.offset()}"] = at

    for number in range(count):
        at = began + number / rate
        time.sleep(max(0.0, at - time.time()))
        now = time.time()
        producer.produce(topic, value, f"applicant-{number % APPLICANTS}", on_delivery=partial(note, now))
        producer.poll(0)
    producer.flush(20)


def _listen(reader: kafka_brokers.Reader, arrived: list[tuple[str, float]], ended: threading.Event) -> None:
    while not ended.is_set():
        for message in reader.some():
            arrived.append((dict(message.headers())["raygate-source"].decode(), time.time()))
    reader.close()


def document(run: Run, direct: OpenLoop, measured: str) -> str:
    """The part of the page."""
    whole = (*(run.percentile(share) for share in (50, 95, 99)), float(run.milliseconds.max()))
    over_http = (direct.p50, direct.p95, direct.p99, direct.worst)
    added = tuple(ours - theirs for ours, theirs in zip(whole, over_http, strict=True))
    return f"""
`make bench-stream`: {run.rate:g} records a second into a topic of four partitions, one stream worker, the
credit-risk example behind its 90/10 split, results read by a consumer. Times go from the producer's call to the
consumer's hands, so they hold the prediction itself and two ways through the brokers. Before, real rows go over
HTTP as often, one a request. {WARM_UP_SECONDS:g} s of warm-up are not counted in either.

{measured}

| | p50 ms | p95 ms | p99 ms | worst ms |
|---|--:|--:|--:|--:|
| {run.records:,} records, from producer to consumer | {_cells(whole)} |
| {direct.sent:,} requests over HTTP | {_cells(over_http)} |
| difference | {_cells(added)} |

Everything is on the same cores, and was busy on so many of them meanwhile:

| | cores |
|---|--:|
{chr(10).join(f"| {role} | {used:.2f} |" for role, used in run.cores.items())}
| together | {sum(run.cores.values()):.2f} |

{report.bullets(_expected(run, whole[1]))}
"""


def _cells(milliseconds: tuple[float, ...]) -> str:
    return " | ".join(f"{one:.1f}" for one in milliseconds)


def _expected(run: Run, p95: float) -> list[str]:
    return [
        report.told(
            f"p95 under {LIMIT_MS:g} ms, prediction and brokers included", p95 < LIMIT_MS, f"{p95:.1f} ms"
        ),
        report.told(
            "every record has one result",
            run.missing == run.doubled == 0,
            f"{run.missing} missing, {run.doubled} doubled",
        ),
    ]


if __name__ == "__main__":
    main()
