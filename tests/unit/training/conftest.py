"""The real credit data, small frames to train on, and an S3 server."""

import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3
import pytest

from deployments.runtime.model_store import ModelStore
from training import config, data, feature_schema

EXAMPLE = Path(__file__).parents[3] / "examples" / "credit-risk" / "training.yaml"


@pytest.fixture(scope="session")
def credit_config():
    return config.read(EXAMPLE)


@pytest.fixture(scope="session")
def credit_dataset(credit_config):
    return data.read(credit_config)


@pytest.fixture(scope="session")
def credit(credit_config, credit_dataset):
    return data.split(credit_dataset, credit_config.split)


@pytest.fixture(scope="session")
def credit_schema(credit):
    return feature_schema.infer(credit.train.features)


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """An S3 server process on a port of its own choice; the address is in the environment as for any client."""
    log = tmp_path_factory.mktemp("s3") / "log"
    server = subprocess.Popen(
        [sys.executable, "-c", "import moto.server as m; m.main(['-p', '0'])"],
        stderr=log.open("w"),
        stdout=subprocess.DEVNULL,
    )
    try:
        address = _address(log, server)
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("AWS_ACCESS_KEY_ID", "testing")
            environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
            environment.setenv("AWS_DEFAULT_REGION", "eu-central-1")
            environment.setenv("AWS_ENDPOINT_URL", address)
            client = boto3.client("s3")
            yield client
    finally:
        server.terminate()
        server.wait()


def _address(log, server):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        for line in log.read_text().splitlines():
            if "Running on http" in line:
                address = line.split("Running on ")[1].strip()
                urllib.request.urlopen(address, timeout=5).close()
                return address
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def bucket(s3):
    name = "training-rows"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return name
