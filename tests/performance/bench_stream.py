"""``make bench-stream``: from a record's producer to its result's consumer, through the whole stack.

Brokers are librdkafka's own, on the same machine; so are producer, stream worker, gateway, pools and consumer.
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
import page
import raygate_stack
import report
import yaml
from console import say
from document import conditions

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
    """

    rate: float
    records: int
    milliseconds: np.ndarray
    missing: int
    doubled: int

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
    with raygate_stack.running() as stack, kafka_brokers.running() as brokers, _streaming(stack, brokers):
        run = measure(brokers, arguments.rate, arguments.seconds, _row(stack))
    measured = conditions(busy, report.machine_facts(), datetime.now(UTC))
    text = document(run, measured)
    page.write(arguments.output, "make bench-stream", text)
    print(text)
    say(f"Written to {arguments.output}")


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


def measure(brokers: str, rate: float, seconds: float, row: dict[str, Any]) -> Run:
    """Produce at a steady rate and read the results."""
    spec = yaml.safe_load(EXAMPLE.read_text())["spec"]
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
    producing.join()
    deadline = time.monotonic() + 30
    while len({source for source, _ in arrived}) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    ended.set()
    listening.join()
    begin = min(sent.values()) + WARM_UP_SECONDS
    first: dict[str, float] = {}
    for source, at in arrived:
        first.setdefault(source, at)
    measured = {source: at for source, at in sent.items() if at >= begin}
    waits = [1000 * (first[source] - at) for source, at in measured.items() if source in first]
    return Run(rate, len(measured), np.array(waits), len(sent) - len(first), len(arrived) - len(first))


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


def document(run: Run, measured: str) -> str:
    """The part of the page."""
    p95 = run.percentile(95)
    return f"""
`make bench-stream`: {run.rate:g} records a second into a topic of four partitions, one stream worker, the
credit-risk example behind its 90/10 split, results read by a consumer. Times go from the producer's call to the
consumer's hands, so they hold the prediction itself and two ways through the brokers. {WARM_UP_SECONDS:g} s of
warm-up are not counted.

{measured}

| records | p50 ms | p95 ms | p99 ms | worst ms | without a result | with more than one |
|--:|--:|--:|--:|--:|--:|--:|
| {run.records:,} | {run.percentile(50):.1f} | {p95:.1f} | {run.percentile(99):.1f} \
| {run.milliseconds.max():.1f} | {run.missing} | {run.doubled} |

{
        report.bullets(
            [
                report.told(f"p95 under {LIMIT_MS:g} ms", p95 < LIMIT_MS, f"{p95:.1f} ms"),
                report.told(
                    "every record has one result",
                    run.missing == run.doubled == 0,
                    f"{run.missing} missing, {run.doubled} doubled",
                ),
            ]
        )
    }
"""


if __name__ == "__main__":
    main()
