"""Rows and documents that go wrong, in a whole run: a clear error and nothing left, or a version that works."""

import numpy as np
import pandas as pd
import pytest

from deployments.contracts import yaml_document
from deployments.contracts.errors import RaygateError
from deployments.runtime.model_store import ModelStore
from deployments.runtime.predictor import Predictor
from training import run
from training.config import TrainingConfig
from training.places import Places

CONFIG = """
model: tried
source: {kind: parquet, path: ROWS}
target: {column: y, positive: "yes"}
MORE
versions:
  - {version: 1.0.0, family: FAMILY, parameters: PARAMETERS}
"""


class Recorded:
    def __init__(self):
        self.digests = []

    def register(self, made, receipt):
        self.digests.append(made.digest)


def frame(rows=120):
    random = np.random.default_rng(5)
    table = pd.DataFrame({"a": random.normal(size=rows), "b": random.integers(0, 9, rows), "when": range(rows)})
    table["home"] = random.choice(["own", "rent"], rows)
    table["y"] = np.where(table["a"] + random.normal(size=rows) > 0, "yes", "no")
    return table


@pytest.fixture
def train(tmp_path):
    """Train on a table and return the package; what failed must have left nothing behind."""
    store, registry = ModelStore(tmp_path / "models"), Recorded()

    def attempt(table, more="", family="logistic_regression", parameters="{}", text=CONFIG):
        file = tmp_path / "rows.parquet"
        table.to_parquet(file)
        text = text.replace("ROWS", str(file)).replace("MORE", more)
        text = text.replace("FAMILY", family).replace("PARAMETERS", parameters)
        places = Places(store, registry, tmp_path / "searches", lambda: None)
        try:
            document = yaml_document.read(text, "t.yaml", TrainingConfig)
            return run.train(document, places, lambda line: None)[0].package
        except RaygateError:
            assert registry.digests == []
            assert not store.root.exists() or list(store.root.iterdir()) == []
            raise

    return attempt


def with_values(**columns):
    return frame().assign(**columns)


def mostly_null(values):
    return pd.Series(values).where(np.arange(len(values)) > 2, None)


@pytest.mark.parametrize(
    ("table", "options", "says"),
    [
        pytest.param(frame().drop(columns="y"), {}, "the data has no column y", id="no-target-column"),
        pytest.param(with_values(y=mostly_null(frame()["y"])), {}, "y is null in 3 rows", id="missing-target"),
        pytest.param(with_values(y="no"), {}, r"y has only the value \['no'\]", id="one-class"),
        pytest.param(with_values(b=None), {}, "b: every row is null; exclude the column", id="all-null-column"),
        pytest.param(frame(1), {}, "y has only the value", id="one-row"),
        pytest.param(frame(0), {}, "there are no rows", id="no-rows"),
        pytest.param(frame(5), {}, "5 rows .* do not make three parts", id="few-rows"),
        pytest.param(frame()[["y"]], {}, "no column is left to learn from", id="target-alone"),
        pytest.param(
            with_values(b=[*map(str, range(119)), "many"]),
            {"more": "expectations: {columns: {b: {kind: number}}}"},
            "b must be a number; not so in 120 rows",
            id="wrong-type",
        ),
        pytest.param(with_values(a=np.inf), {}, "a: holds infinity", id="infinity"),
        pytest.param(
            with_values(y=["yes", "no"] * 50 + ["later", "no"] * 10),
            {"more": "split: {by_time: when}", "text": CONFIG.replace(', positive: "yes"', "")},
            "no training row is 'later'",
            id="label-in-test-alone",
        ),
        pytest.param(
            pd.concat([frame(), frame()]),
            {"more": "expectations: {duplicates: refused}"},
            "rows must not stand twice; not so in 240 rows",
            id="duplicates-refused",
        ),
        pytest.param(
            frame(), {"parameters": "{C: -1}"}, r"logistic_regression: cannot be fitted: .*'C'", id="bad-parameter"
        ),
        pytest.param(
            frame(),
            {"parameters": "{depth: 3}"},
            "logistic_regression: cannot be made: .*depth",
            id="unknown-parameter",
        ),
        pytest.param(
            frame(),
            {"family": "xgboost", "parameters": "{max_depth: -5}"},
            "xgboost: cannot be fitted: .*max_depth",
            id="xgboost",
        ),
        pytest.param(
            frame(),
            {"family": "lightgbm", "parameters": "{num_leaves: 1}"},
            "lightgbm: cannot be fitted: .*num_leaves",
            id="lightgbm",
        ),
    ],
)
def test_what_cannot_be_trained_is_a_clear_error_and_leaves_nothing(train, table, options, says):
    with pytest.raises(RaygateError, match=says):
        train(table, **options)


LATE = frame()["when"] >= 110

SURVIVED = [
    pytest.param(with_values(b=7), {}, "b holds one value in every training row", id="constant-column"),
    pytest.param(
        with_values(home=frame()["home"].where(~LATE, "boat")),
        {"more": "split: {by_time: when}"},
        "home has categories that no training row has: boat",
        id="category-in-test-alone",
    ),
    pytest.param(
        with_values(a=frame()["a"].where(~LATE)), {"more": "split: {by_time: when}"}, "", id="null-in-test-alone"
    ),
    pytest.param(pd.concat([frame(), frame()]), {}, "", id="duplicates-kept"),
    pytest.param(
        pd.concat([frame(), frame()]), {"more": "cleaning: {duplicates: drop}"}, "cleaning left 120", id="dropped"
    ),
    pytest.param(
        with_values(y=mostly_null(frame()["y"])),
        {"more": "cleaning: {missing_target: drop}"},
        "left 117",
        id="target",
    ),
    pytest.param(with_values(b=mostly_null([True, False] * 60)), {}, "", id="booleans-with-nulls"),
]


@pytest.mark.parametrize("family", ["logistic_regression", "lightgbm"])
@pytest.mark.parametrize(("table", "options", "told"), SURVIVED)
def test_what_can_be_trained_is_and_the_report_tells_what_was_odd(train, family, table, options, told):
    made = train(table, family=family, **options)
    assert told in made.read("validation_report.md").decode()
    predictor = Predictor(made)
    assert not predictor.predict(predictor.sample(20)).errors
