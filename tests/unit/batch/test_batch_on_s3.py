"""From and to a real S3-compatible server."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import boto3
import httpx
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from deployments.batch.errors import InputUnreadable, InvalidBatchJob, NothingToScore, OutputUnwritable
from deployments.batch.scoring_run import ThisProcess


@contextmanager
def s3_server(log):
    """Its process and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=out, stderr=out)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/moto-api/")
            break
        time.sleep(0.05)
    yield process, f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with s3_server(tmp_path_factory.mktemp("s3") / "log.txt") as (_, address):
        yield address


@pytest.fixture
def bucket(server, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-to-be-shown")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    name = f"loans-{os.urandom(4).hex()}"
    client = boto3.client("s3", endpoint_url=server, region_name="us-east-1")
    client.create_bucket(Bucket=name)
    return client, name


def test_a_prefix_is_scored_into_another(scenario, bucket, server):
    client, name = bucket
    for number in range(3):
        path = scenario.put(f"{number}.parquet", scenario.table(200, seed=number))
        client.upload_file(str(path), name, f"in/day={number}/rows.parquet")
    manifest = scenario.run(input=f"s3://{name}/in/", output=f"s3://{name}/out")
    assert manifest.rows == 600
    filesystem = fs.S3FileSystem(endpoint_override=server, region="us-east-1")
    tables = [pq.read_table(f"{name}/out/{file.path}", filesystem=filesystem) for file in manifest.files]
    assert sum(table.num_rows for table in tables) == 600
    keys = {found["Key"] for found in client.list_objects_v2(Bucket=name, Prefix="out")["Contents"]}
    assert {"out/_SUCCESS", "out/_raygate/plan.json", "out/part-00000.parquet"} <= keys
    assert not any(key.endswith(".tmp") for key in keys)
    again = scenario.run(input=f"s3://{name}/in/", output=f"s3://{name}/out")
    assert again == manifest


def test_the_endpoint_may_stand_in_the_location(scenario, bucket, server, monkeypatch):
    client, name = bucket
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    client.upload_file(str(scenario.put("a.parquet", scenario.table(50))), name, "a.parquet")
    where = f"?endpoint_override={server}&region=us-east-1"
    assert scenario.run(input=f"s3://{name}/a.parquet{where}", output=f"s3://{name}/out{where}").rows == 50


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"input": "s3://{name}/nothing/"}, NothingToScore, id="no-such-prefix"),
        pytest.param({"input": "s3://no-such-bucket-here/in/"}, NothingToScore, id="no-such-bucket"),
        pytest.param({"output": "s3://no-such-bucket-here/out/"}, OutputUnwritable, id="output-without-bucket"),
        pytest.param({"input": "s3://me:word@{name}/in/"}, InvalidBatchJob, id="credentials-in-the-location"),
        pytest.param({"output": "gs://{name}/out"}, InvalidBatchJob, id="another-store"),
    ],
)
def test_what_cannot_be_reached_is_said_and_no_secret_with_it(scenario, bucket, changes, error):
    _, name = bucket
    scenario.put("rows.parquet", scenario.table(10))
    with pytest.raises(error) as raised:
        scenario.run(**{field: place.format(name=name) for field, place in changes.items()})
    assert "not-to-be-shown" not in str(raised.value)
    assert "word" not in str(raised.value).replace("AWS_SECRET_ACCESS_KEY", "")


def test_an_input_that_goes_away_under_the_job_is_told_as_that(scenario, bucket, tmp_path):
    path = scenario.put("rows.parquet", scenario.table(10))
    with s3_server(tmp_path / "log.txt") as (process, address):
        client = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
        client.create_bucket(Bucket="loans")
        client.upload_file(str(path), "loans", "in/rows.parquet")

        class Watched:
            def score(self, plan, units):
                scoring = ThisProcess().score(plan, units)
                process.kill()
                process.wait()
                return scoring

        with pytest.raises(InputUnreadable, match=r"rows\.parquet cannot be read"):
            scenario.run(Watched(), input=f"s3://loans/in/?endpoint_override={address}")
