import re
import socket
import subprocess
import sys
import time
from contextlib import suppress

import boto3
import duckdb
import httpx
import pytest
from logged_requests import NOON, feedback, prediction_id
from logged_requests import request as answered

from deployments.prediction_log import care, compaction, retention
from deployments.prediction_log.labels import labelled
from deployments.prediction_log.personal_data import PersonalDataKeys, new_key
from deployments.prediction_log.reader import files, find, read
from deployments.prediction_log.segment_writer import LogLimits
from deployments.prediction_log.writer import PredictionLog
from deployments.storage.errors import StorageUnreachable
from deployments.storage.location import Location

HOUR = "predictions/model=credit_risk/version=1.0.0/date=2024-11-21/hour=12"
KEYS = PersonalDataKeys([new_key()])


def start_server(port, requests):
    """An S3-compatible server; its requests go into a file."""
    with requests.open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stderr=log, stdout=log)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/moto-api/")
            return process
        time.sleep(0.05)
    process.kill()
    raise AssertionError(requests.read_text())


@pytest.fixture(scope="module")
def requests(tmp_path_factory):
    return tmp_path_factory.mktemp("s3") / "requests.txt"


@pytest.fixture(scope="module")
def server(requests):
    """Address of a server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start_server(port, requests)
    yield f"127.0.0.1:{port}"
    process.kill()
    process.wait()


@pytest.fixture
def root(server, monkeypatch, request):
    """A place for a log, in a bucket of the test's own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    name = request.node.name.replace("_", "-")[:60]
    make_bucket(server, name)
    return f"s3://{name}/raygate?endpoint_override=http://{server}&region=us-east-1"


def make_bucket(server, name):
    boto3.client("s3", endpoint_url=f"http://{server}", region_name="us-east-1").create_bucket(Bucket=name)


def write(uri, *records, gateway="gateway-1", **options):
    log = PredictionLog(uri, gateway, KEYS, **options)
    for record in records:
        if hasattr(record, "feedback_id"):
            log.feedback(record)
        else:
            log.record(record)
    log.close()
    return log.figures()


def test_the_whole_life_of_a_log_in_a_bucket(root, requests):
    for number in range(3):
        write(root, answered(number), feedback(number), gateway=f"gateway-{number}")
    assert sorted(read(root, keys=KEYS)["feature.Income"].to_pylist()) == [0, 1, 2]
    assert find(root, prediction_id(NOON, 2000))["feature.Income"] == 2.0
    assert labelled(root).num_rows == 3
    assert all("/raygate/predictions/model=" in path for path in files(root))
    assert all(path.startswith("s3://test-") for path in files(root))
    place = Location.of(root)
    assert compaction.compact(place, HOUR).after == 1
    assert sorted(read(root)["feature.Income"].to_pylist()) == [0, 1, 2]
    assert care.erase(place, KEYS.pseudonyms("alice")).predictions == 3
    retention.expire(place, HOUR)
    assert place.files(HOUR) == []
    assert "uploads" not in requests.read_text(), "every file is one PUT"
    assert re.search(r"PUT \S+/raygate/predictions/", requests.read_text())


def test_the_endpoint_may_come_from_the_environment(root, server, monkeypatch):
    write(root, answered(1))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{server}")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert read(root.partition("?")[0]).num_rows == 1


def test_duckdb_reads_what_was_read_from_a_bucket(root):
    write(root, answered(1), answered(2))
    rows = read(root)  # noqa: F841 (DuckDB finds it by its name)
    assert duckdb.sql("SELECT count(*) FROM rows").fetchall() == [(2,)]


def test_a_bucket_that_is_not_there_yet_is_waited_for(root, server):
    later = root.replace("s3://test", "s3://later")
    log = PredictionLog(later, "gateway-1", KEYS, LogLimits(segment_seconds=0.0))
    log.record(answered(1))
    assert soon(lambda: log.figures().failed_writes)
    assert log.figures().waiting_rows == 1
    make_bucket(server, later.removeprefix("s3://").partition("/")[0])
    assert soon(lambda: log.figures().waiting_rows == 0)
    log.close()
    assert read(later).num_rows == 1


def test_a_server_that_is_gone_is_an_error_for_a_reader(root, server):
    with pytest.raises(StorageUnreachable, match="s3://test-a-server"):
        read(root.replace(server, "127.0.0.1:1"))


def soon(condition):
    """Whether a condition comes true within half a minute."""
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()
