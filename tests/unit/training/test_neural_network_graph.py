"""Networks whose weights are given: scores, graphs and pickles need no PyTorch."""

import pickle
import sys
from itertools import pairwise

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deployments.contracts.errors import PackagingFailed
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.package import Task
from deployments.contracts.wire import Columns
from deployments.runtime.compiled import CompiledModel
from deployments.runtime.neural_network import NeuralNetworkClassifier, NeuralNetworkRegressor
from training import compilation, families

NAMES = ("a", "b", "c")
SCHEMA = FeatureSchema(features=tuple(Feature(name=name, kind=FeatureKind.NUMBER) for name in NAMES))
ROWS = np.random.default_rng(3).normal(5, 10, (40, 3))


def weights(*widths):
    random = np.random.default_rng(7)
    return [
        (random.normal(size=(before, after)).astype(np.float32), random.normal(size=after).astype(np.float32))
        for before, after in pairwise(widths)
    ]


def classifier(classes):
    network = NeuralNetworkClassifier()
    network.classes_, network.n_features_in_ = np.array(classes), 3
    network.weights_ = weights(3, 8, 8, len(classes))
    return network


def regressor():
    network = NeuralNetworkRegressor()
    network.weights_, network.n_features_in_, network._is_single = weights(3, 8, 1), 3, True
    return network


def compiled(network, task, classes):
    pipeline = make_pipeline(StandardScaler().fit(ROWS), network)
    graph = CompiledModel(compilation.compile_graph(pipeline, SCHEMA, task, classes))
    columns = Columns(ROWS, np.ones(ROWS.shape, dtype=bool), ())
    return pipeline, graph.predict(columns)


@pytest.mark.parametrize(
    ("classes", "wanted"),
    [
        pytest.param(["bad", "good"], ("good", "bad"), id="texts-in-another-order"),
        pytest.param([0, 1, 2], (0, 1, 2), id="numbers"),
        pytest.param([False, True], (False, True), id="booleans"),
    ],
)
def test_the_graph_of_a_network_tells_its_probabilities(classes, wanted):
    task = Task.BINARY if len(classes) == 2 else Task.MULTICLASS
    pipeline, scores = compiled(classifier(classes), task, wanted)
    order = [classes.index(label) for label in wanted]
    native = pipeline.predict_proba(ROWS)
    np.testing.assert_allclose(scores, native[:, order], atol=1e-6)
    np.testing.assert_allclose(native.sum(axis=1), 1)
    assert set(pipeline.predict(ROWS)) <= set(classes)


def test_the_graph_of_a_regression_tells_its_values():
    pipeline, scores = compiled(regressor(), Task.REGRESSION, ())
    np.testing.assert_allclose(scores[:, 0], pipeline.predict(ROWS), rtol=1e-4, atol=1e-4)


def test_no_margin_is_too_large_for_its_probability():
    network = classifier(["no", "yes"])
    network.weights_ = [(np.full((3, 2), 1e4, dtype=np.float32) * [1, -1], np.zeros(2, dtype=np.float32))]
    assert np.isfinite(network.predict_proba(ROWS)).all()


def test_a_fitted_network_is_unpickled_without_pytorch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    network = classifier(["no", "yes"])
    again = pickle.loads(pickle.dumps(network))
    np.testing.assert_array_equal(again.predict_proba(ROWS), network.predict_proba(ROWS))


def test_without_pytorch_the_family_says_what_to_install(monkeypatch):
    family = families.family("neural_network")
    monkeypatch.setattr(family, "find_spec", lambda name: None)
    with pytest.raises(PackagingFailed, match=r"install raygate\[torch\]"):
        family.estimator(Task.BINARY, {}, 1)
