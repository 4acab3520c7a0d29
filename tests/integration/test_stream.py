"""`raygate stream run` on a running stack: sticky by key, and a worker that is killed is started again."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import kafka_brokers
import psutil
import pytest
import schema_registry_server
import yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "credit-risk" / "stream.yaml"


@pytest.fixture(scope="module")
def brokers():
    with kafka_brokers.running() as address:
        yield address


@contextmanager
def running(stack, tmp_path, **changes):
    """The example's stream with one worker; gives what its file says, and its metrics' URL."""
    document = yaml.safe_load(EXAMPLE.read_text())
    document["spec"].update(workers=1, clientOptions={"session.timeout.ms": 6000}, **changes)
    file, port = tmp_path / "stream.yaml", stack.settings.http_port + 31
    file.write_text(yaml.safe_dump(document))
    command = [str(Path(sys.executable).with_name("raygate")), "stream", "run", "-f", str(file)]
    log = (tmp_path / "stream.log").open("w+")
    process = subprocess.Popen(
        [*command, "--metrics-port", str(port)], env=stack.environment, stdout=log, stderr=subprocess.STDOUT
    )
    yield document["spec"], f"http://127.0.0.1:{port}/metrics"
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    log.seek(0)
    print(log.read())


@pytest.fixture
def streaming(stack, brokers, tmp_path):
    with running(stack, tmp_path, brokers=brokers) as begun:
        yield begun


def produce(brokers, topic, rows, count, start=0, encoded=json.dumps):
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": brokers})
    for number in range(start, start + count):
        producer.produce(topic, encoded(rows[number % len(rows)]), f"applicant-{number % 100}")
    assert producer.flush(20) == 0


def sources(messages):
    return {dict(message.headers())["raygate-source"] for message in messages}


def worker_pid(stack):
    """Of the only stream worker of the stack."""
    (found,) = [
        process.pid
        for process in psutil.process_iter(["cmdline", "environ"])
        if "ray::StreamActor" in " ".join(process.info["cmdline"] or [])
        and (process.info["environ"] or {}).get("RAYGATE_STATE_DIRECTORY") == str(stack.settings.state)
    ]
    return found


def test_applications_are_predicted_by_the_split_and_a_killed_worker_loses_none(stack, streaming, brokers, rows):
    spec, metrics = streaming
    produce(brokers, spec["input"], rows, 300)
    bad = [{**rows[0], "Age": "old"}]
    produce(brokers, spec["input"], bad, 1)
    results, rejected = (kafka_brokers.Reader(brokers, spec[topic]) for topic in ("results", "rejected"))
    first = list(results.read_until(lambda messages: len(sources(messages)) == 300))
    (refused,) = rejected.read_until(len)
    assert dict(refused.headers())["raygate-code"] == b"VALIDATION_ERROR"
    versions: dict[bytes, set[str]] = {}
    for message in first:
        versions.setdefault(message.key(), set()).add(json.loads(message.value())["model_version"])
    assert len(versions) == 100
    assert all(len(found) == 1 for found in versions.values())
    assert set.union(*versions.values()) == {"1.0.0", "1.1.0"}

    produce(brokers, spec["input"], rows, 600, start=300)
    results.read_until(lambda messages: len(sources(messages)) > 350)
    os.kill(worker_pid(stack), signal.SIGKILL)
    results.read_until(lambda messages: len(sources(messages)) == 900, timeout_s=90)
    seen, deadline = "", time.monotonic() + 20
    while "raygate_stream_records_total{" not in seen and time.monotonic() < deadline:
        seen = httpx.get(metrics, timeout=5).text
        time.sleep(0.2)
    assert 'raygate_stream_records_total{environment="local",outcome="OK",stream="credit-risk",worker="0"}' in seen
    results.close()
    rejected.close()


def test_applications_in_avro_are_predicted_and_results_written_by_a_schema_of_the_streams_own(
    stack, brokers, rows, tmp_path
):
    texts = {name for row in rows for name, value in row.items() if isinstance(value, str)}
    names = sorted({name for row in rows for name in row})
    fields = [{"name": name, "type": ["null", "string" if name in texts else "double"]} for name in names]
    schema = {"type": "record", "name": "Application", "fields": fields}
    registry = schema_registry_server.SchemaRegistryServer()
    topics = {"input": "avro-applications", "results": "avro-predictions", "rejected": "avro-rejected"}
    avro = {"format": "avro", "schemaRegistry": registry.url, "group": "avro"}
    number = registry.register("avro-applications-value", schema)
    with running(stack, tmp_path, brokers=brokers, **topics, **avro):
        produce(
            brokers,
            topics["input"],
            rows,
            50,
            encoded=lambda row: schema_registry_server.framed(number, row, schema),
        )
        results = kafka_brokers.Reader(brokers, topics["results"])
        messages = results.read_until(lambda found: len(sources(found)) == 50)
        answers = [registry.read(message.value()) for message in messages]
        results.close()
    assert {answer["prediction"] for answer in answers} <= {"good", "bad"}
    assert {answer["model_version"] for answer in answers} <= {"1.0.0", "1.1.0"}
    registry.close()
