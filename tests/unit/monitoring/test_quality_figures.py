import doctest
import importlib
from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from deployments.contracts.model_version import Version
from deployments.contracts.package import InferencePath, ModelMetadata, Parity, Task
from monitoring.errors import EmptyDistribution
from monitoring.quality import auc, concept_drift, estimated, figure, measured
from monitoring.quality.labelled_rows import LabelledRows


def metadata(task=Task.BINARY, classes=("good", "bad")):
    return ModelMetadata(
        model="credit_risk",
        version=Version(1, 0, 0),
        task=task,
        classes=classes,
        path=InferencePath.COMPILED,
        parity=Parity(rows=0, max_difference=None, label_flips=0, tolerance=0.0),
        family="lightgbm",
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )


def labelled(truth, score):
    """Rows of a binary model that returns "bad" from 0.5 on."""
    texts = np.array(["good", "bad"])
    score = np.asarray(score, dtype=float)
    return LabelledRows(
        predicted=texts[(score >= 0.5).astype(int)],
        truth=texts[np.asarray(truth).astype(int)],
        scores=np.column_stack([1 - score, score]),
    )


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("name", ["figure", "auc", "estimated"])
def test_the_examples_in_the_docstrings_are_true(name):
    found = doctest.testmod(importlib.import_module(f"monitoring.quality.{name}"))
    assert found.attempted > 0
    assert found.failed == 0


def test_figures_of_a_binary_model_are_those_of_its_confusion_matrix():
    found = measured.measure(labelled([1, 1, 0, 0, 0], [0.9, 0.2, 0.6, 0.1, 0.3]), metadata())
    values = {name: one.value for name, one in found.items()}
    assert values["accuracy"] == pytest.approx(3 / 5)
    assert values["precision"] == pytest.approx(1 / 2)
    assert values["recall"] == pytest.approx(1 / 2)
    assert values["roc_auc"] == pytest.approx(4 / 6)


def test_what_cannot_be_known_is_left_out_and_is_not_zero():
    assert set(measured.measure(labelled([0, 0], [0.1, 0.2]), metadata())) == {"accuracy", "calibration_error"}


def test_errors_of_a_regression_are_measured_in_its_unit():
    rows = LabelledRows(np.array([1.0, 2.0]), np.array([4.0, 6.0]), np.array([[1.0], [2.0]]))
    found = measured.measure(rows, metadata(Task.REGRESSION, ()))
    assert found["mae"].value == pytest.approx(3.5)
    assert found["rmse"].value == pytest.approx(12.5**0.5)
    assert found["rmse"].lower < found["rmse"].value < found["rmse"].upper


def test_no_labels_are_an_error_and_never_a_figure():
    with pytest.raises(EmptyDistribution, match="labelled"):
        measured.measure(labelled([], []), metadata())


def test_the_area_agrees_with_scikit_learn_ties_included(rng):
    score = rng.integers(0, 12, 500) / 12
    truth = rng.random(500) < score
    assert auc.measure(truth, score).value == pytest.approx(roc_auc_score(truth, score))


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        pytest.param(lambda rng: figure.proportion(float(rng.binomial(60, 0.9)), 60), 0.9, id="proportion"),
        pytest.param(lambda rng: auc.measure(*_scored(rng, 150)), 0.760250, id="auc"),
    ],
)
def test_an_interval_holds_the_truth_about_as_often_as_it_says(rng, draw, truth):
    drawn = [draw(rng) for _ in range(400)]
    assert sum(one.lower <= truth <= one.upper for one in drawn) / len(drawn) == pytest.approx(0.95, abs=0.03)


def _scored(rng, rows):
    """Two normal distributions one deviation apart: the area is Phi(1 / sqrt(2)) = 0.760250."""
    truth = rng.random(rows) < 0.4
    return truth, rng.normal(truth.astype(float), 1)


def test_calibrated_scores_tell_accuracy_and_area_on_a_shifted_set_within_two_hundredths(rng):
    """A model trained on one mix answers another: the truth falls, and the estimate falls with it."""

    def draw(rows, centre, spread):
        features = rng.normal(centre, spread, (rows, 2))
        return features, rng.random(rows) < expit(1.8 * features[:, 0] - 1.2 * features[:, 1])

    model = LogisticRegression().fit(*draw(20_000, 0.0, 1.2))
    worlds = {}
    for name, centre, spread in (("training", 0.0, 1.2), ("shifted", 0.25, 0.5)):
        features, truth = draw(20_000, centre, spread)
        score = model.predict_proba(features)[:, 1]
        bins = np.bincount(np.minimum((score * 100).astype(int), 99), minlength=100)
        found = estimated.from_bins(Task.BINARY, bins.tolist(), 0.5)
        accuracy, area = ((score >= 0.5) == truth).mean(), roc_auc_score(truth, score)
        assert found["accuracy"] == pytest.approx(accuracy, abs=0.02)
        assert found["roc_auc"] == pytest.approx(area, abs=0.02)
        worlds[name] = (accuracy, area)
    assert worlds["training"][0] - worlds["shifted"][0] > 0.1, "the shift must matter, or the test shows nothing"


def test_a_winning_score_of_several_classes_estimates_accuracy():
    assert estimated.from_bins(Task.MULTICLASS, [0] * 90 + [1] * 10, 0.5) == {"accuracy": pytest.approx(0.95)}
    assert estimated.from_bins(Task.REGRESSION, [1] * 100, 0.5) == {}


@pytest.mark.parametrize("detector", ["adwin", "page_hinkley"])
def test_a_rise_of_the_error_is_noticed_after_it_happened(rng, detector):
    errors = np.concatenate([rng.random(1500) < 0.1, rng.random(1000) < 0.35]).astype(float)
    change = concept_drift.detect(errors)[detector]
    assert change.worse
    assert 1500 < change.at < 2500


@pytest.mark.parametrize("detector", ["adwin", "page_hinkley"])
def test_errors_that_do_not_change_are_told_to_change_in_at_most_one_stream_of_twenty(rng, detector):
    streams = [(rng.random(2000) < 0.15).astype(float) for _ in range(40)]
    assert sum(concept_drift.detect(errors)[detector].worse for errors in streams) <= 2


def test_a_model_that_gets_better_is_not_told_to_be_worse(rng):
    errors = np.concatenate([rng.random(1500) < 0.4, rng.random(1500) < 0.1]).astype(float)
    assert not any(change.worse for change in concept_drift.detect(errors).values())


def test_few_labels_are_not_enough_data():
    assert concept_drift.detect(np.zeros(99)) is None
