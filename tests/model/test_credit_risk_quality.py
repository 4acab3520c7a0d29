"""The example's models are good enough to be examples: on the test split, through the path that is served."""

from pathlib import Path

import numpy as np
import pytest

from deployments.contracts.model_version import ModelVersion
from deployments.runtime import columns as columnar
from training import config, data, feature_schema, fitting, served_model

EXAMPLE = Path(__file__).parents[2] / "examples" / "credit-risk" / "training.yaml"
FOUND = {"logistic_regression": {}, "lightgbm": {"n_estimators": 120, "learning_rate": 0.05, "max_depth": 4}}


@pytest.fixture(scope="module")
def parts():
    document = config.read(EXAMPLE)
    return data.split(data.read(document), document.split)


@pytest.fixture(scope="module", params=[one.family for one in config.read(EXAMPLE).versions])
def served(request, parts):
    """A version as the example has it, with hyperparameters near those that the search finds."""
    wanted = next(one for one in config.read(EXAMPLE).versions if one.family == request.param)
    schema = feature_schema.infer(parts.train.features)
    subject = fitting.Subject(wanted.family, dict(wanted.parameters), schema, parts, seed=42)
    fitted = served_model.FittedModel(
        ModelVersion("credit_risk", wanted.version),
        fitting.fit(subject, FOUND[wanted.family]),
        schema,
        parts.task,
        parts.classes,
        wanted.family,
    )
    return served_model.choose_path(fitted, parts.train.features, parts.validation.features)


def scores(served, features):
    return served.scorer.predict(columnar.from_frame(features, served.model.schema))[:, 1]


def test_it_ranks_borrowers_well(served, parts):
    figures = served_model.judge(served, parts.test.features, parts.test.target).values
    assert figures["roc_auc"] > 0.83
    assert figures["accuracy"] > 0.78
    assert figures["brier"] < 0.15


def test_its_probabilities_mean_what_they_say(served, parts):
    """Expected calibration error over five equally full bins."""
    probability, truth = scores(served, parts.test.features), (parts.test.target == "bad").to_numpy()
    bins = np.array_split(np.argsort(probability), 5)
    gaps = [abs(probability[rows].mean() - truth[rows].mean()) for rows in bins]
    assert np.mean(gaps) < 0.06
    assert abs(probability.mean() - truth.mean()) < 0.04


def test_it_knows_that_records_of_default_are_bad_news(served, parts):
    rows = parts.test.features
    worse = scores(served, rows.assign(Records="yes")) - scores(served, rows.assign(Records="no"))
    assert (worse > 0).mean() > 0.95


def test_an_unseen_category_moves_no_score_to_an_extreme(served, parts):
    moved = np.abs(
        scores(served, parts.test.features.assign(Home="houseboat")) - scores(served, parts.test.features)
    )
    assert moved.mean() < 0.15
