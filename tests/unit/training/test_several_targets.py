"""Several quantities at once: from two columns of a document to a value by name."""

import json

import numpy as np
import pandas as pd
import pytest

from deployments.batch import scored_rows
from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument, PackagingFailed
from deployments.contracts.package import InferencePath, Task
from deployments.runtime import columns as columnar
from deployments.runtime.model_store import ModelStore
from deployments.runtime.native import reference_sample
from deployments.runtime.predictor import Predictor
from training import data, families, fitting, metric_name, run, version_build
from training.config import TrainingConfig
from training.errors import GateMissed
from training.evaluation_report import EVALUATION
from training.places import Places

ROWS = 300
TARGETS = ("width", "height")
FAMILIES = [name for name in families.names() if name not in ("logistic_regression", "neural_network")]


class NoRegistry:
    def register(self, made, receipt):
        pass


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(4)
    size, weight = random.normal(10, 3, ROWS), random.integers(1, 9, ROWS)
    kind = random.choice(["box", "bag", "tube"], ROWS)
    return pd.DataFrame(
        {
            "size": np.where(random.random(ROWS) < 0.1, np.nan, size),
            "weight": weight,
            "kind": pd.Series(kind, dtype=object),
            "day": [f"2026-0{1 + n % 9}-10" for n in range(ROWS)],
            "width": 3 * weight + np.where(kind == "box", 5.0, 0.0) + random.normal(0, 0.3, ROWS),
            "height": 1000 * size + 200 * weight + random.normal(0, 50, ROWS),
            "name": "x",
        }
    )


@pytest.fixture(scope="module")
def file(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    table.to_parquet(path)
    return path


def document(file, family="linear_regression", target="columns: [width, height]", features="", more="", option=""):
    text = f"""
model: parcels
source: {{kind: parquet, path: {file}}}
target: {{{target}}}
features: {{exclude: [name, day]{features}}}
{more}
versions: [{{version: 1.0.0, family: {family}{option}}}]
"""
    return yaml_document.read(text, "t.yaml", TrainingConfig)


def train(directory, config):
    store = ModelStore(directory / "models")
    places = Places(store, NoRegistry(), directory / "searches", lambda: None)
    return run.train(config, places, lambda line: None)[0].package


def options_of(family):
    return "" if family == "linear_regression" else ", parameters: {n_estimators: 25}"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_answers_for_each_target_by_its_graph(file, tmp_path, family):
    made = train(tmp_path, document(file, family, option=options_of(family)))
    assert (made.metadata.task, made.metadata.targets, made.metadata.width) == (Task.REGRESSION, TARGETS, 2)
    assert made.metadata.path is InferencePath.COMPILED, made.metadata.parity.reason
    assert made.metadata.metrics["r2.width"] > 0.7
    assert made.metadata.metrics["r2.height"] > 0.5
    rows = columnar.from_frame(reference_sample(made).head(30), made.schema)
    compiled = Predictor(made).predict(rows)
    native = Predictor(made, InferencePath.NATIVE).predict(rows)
    assert not compiled.errors
    assert compiled.scores.shape == (30, 2)
    np.testing.assert_allclose(compiled.scores, native.scores, rtol=1e-4, atol=1e-2)


def test_each_target_has_its_own_quality_and_the_plain_name_is_the_mean(file, tmp_path):
    made = train(tmp_path, document(file))
    figures = made.metadata.metrics
    assert figures["r2"] == pytest.approx((figures["r2.width"] + figures["r2.height"]) / 2)
    assert figures["rmse.height"] > 50 * figures["rmse.width"], "each in its own unit"
    report = json.loads(made.read(EVALUATION))
    assert report["metrics"]["r2.width"]["low"] < figures["r2.width"] < report["metrics"]["r2.width"]["high"]
    assert "regression of width, height" in made.read("model_card.md").decode()


def test_a_small_target_is_compared_on_its_own_scale(file, tmp_path):
    """Parity of widths around 10 must not drown in heights around 10,000."""
    from training import parity

    class Fixed:
        def __init__(self, width):
            self.scores = np.array([[0.0, 0.0], [width, 10_000.0]])

        def predict(self, rows):
            return self.scores

    rows = columnar.Columns(np.zeros((2, 1)), np.ones((2, 1), dtype=bool))
    outcome = parity.compare(Fixed(10.0), Fixed(10.1), rows, Task.REGRESSION, 0.5)
    assert outcome.max_difference == pytest.approx(0.01)
    assert outcome.reason


def test_a_gate_may_be_of_one_target(file, tmp_path):
    with pytest.raises(GateMissed, match=r"rmse\.width on the test rows is .*at most 0\.001"):
        train(tmp_path, document(file, more="gates: {r2: 0.5, rmse.width: 0.001}"))


def test_the_native_path_answers_for_every_target(file, tmp_path):
    features = ", columns: {day: {kind: date}}"
    config = document(file, "lightgbm", features=features, option=options_of("lightgbm"))
    config = config.model_copy(update={"features": config.features.model_copy(update={"exclude": ("name",)})})
    made = train(tmp_path, config)
    assert made.metadata.path is InferencePath.NATIVE
    assert made.metadata.metrics["r2"] > 0.6
    assert Predictor(made).predict(
        columnar.from_frame(reference_sample(made).head(1), made.schema)
    ).scores.shape == (1, 2)


def test_a_batch_has_every_target_in_one_column(file, tmp_path):
    made = train(tmp_path, document(file))
    scores = Predictor(made).predict(columnar.from_frame(reference_sample(made).head(3), made.schema)).scores
    prediction, probability = scored_rows.answer_columns(
        scores, made.metadata.positions_of_labels(scores), made.metadata
    )
    assert [json.loads(text) for text in prediction.to_pylist()] == [
        dict(zip(TARGETS, row, strict=True)) for row in scores.tolist()
    ]
    assert probability.to_pylist() == [None] * 3


def test_variants_know_several_targets(file, tmp_path):
    variants = ", variants: [{kind: distilled, family: linear_regression, loss: 0.5}]"
    made = train(tmp_path, document(file, "random_forest", option=f"{options_of('random_forest')}{variants}"))
    assert made.metadata.variant == "distilled"
    assert made.metadata.targets == TARGETS


def test_a_search_looks_for_the_best_mean_share_of_variance(file):
    config = document(file)
    parts = data.split(data.read(config), config.split)
    assert metric_name.usual(parts.task, parts.targets) == "r2"
    subject = version_build.subject_of(config, config.versions[0], parts)
    assert fitting.cross_validate(subject, {}, 3)["r2"] > 0.8


def test_rows_without_one_of_the_targets_are_left_out_if_so_said(table, tmp_path):
    path = tmp_path / "gaps.parquet"
    table.assign(width=table["width"].where(table.index > 4)).to_parquet(path)
    with pytest.raises(InvalidDocument, match="width is null in 5 rows"):
        data.read(document(path))
    rows = data.read(document(path, more="cleaning: {missing_target: drop}")).rows
    assert len(rows.target) == ROWS - 5
    assert "width" not in rows.features


@pytest.mark.parametrize(
    ("target", "features", "says"),
    [
        pytest.param("column: width, columns: [height]", "", "give a column, or several", id="both"),
        pytest.param("task: regression", "", "give a column, or several", id="neither"),
        pytest.param("columns: [width]", "", "two names or more", id="one"),
        pytest.param("columns: [width, width]", "", "each once", id="twice"),
        pytest.param("columns: [width, height], positive: x", "", "labels are one column", id="labels"),
        pytest.param(
            "columns: [width, height]",
            ", categories: {encoding: target}",
            "encoding: target needs one target column",
            id="target-encoding",
        ),
    ],
)
def test_a_document_that_contradicts_itself_is_refused(file, target, features, says):
    with pytest.raises(InvalidDocument, match=says):
        document(file, target=target, features=features)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        pytest.param("[width, depth]", "target.columns: the data has no column depth", id="no-column"),
        pytest.param("[width, kind]", "kind holds 'bag', which is no quantity", id="texts"),
        pytest.param("[width, name]", "name has only the value", id="constant"),
    ],
)
def test_columns_that_are_no_quantities_are_refused_by_name(file, columns, says):
    with pytest.raises(InvalidDocument, match=says):
        data.read(document(file, target=f"columns: {columns}"))


def test_a_family_of_labels_is_refused(file, tmp_path):
    with pytest.raises(PackagingFailed, match="logistic_regression"):
        train(tmp_path, document(file, "logistic_regression"))
