"""Which rows a run takes, and what it names them by, whatever their cells hold."""

import numpy as np
import pandas as pd
import pytest

from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument
from training import data, row_content, validation
from training.config import TrainingConfig
from training.expectations import Expectations

ROWS = pd.DataFrame(
    {
        "id": range(20),
        "when": pd.date_range("2026-01-01", periods=20).strftime("%Y-%m-%d"),
        "x": [n // 2 for n in range(20)],
        "y": ["no", "no", "yes", "yes"] * 5,
        "tags": [[str(n % 3)] * 2 for n in range(20)],
    }
)


def read(tmp_path, rows, more):
    rows.to_parquet(tmp_path / "rows.parquet")
    text = f"""
model: m
source: {{kind: parquet, path: {tmp_path}/rows.parquet}}
target: {{column: y}}
versions: [{{version: 1.0.0, family: lightgbm}}]
{more}
"""
    return data.read(yaml_document.read(text, "t", TrainingConfig))


EXCLUDED = "features: {exclude: [id, when, tags]}"


def test_another_division_by_time_is_other_data_even_if_its_column_is_no_feature(tmp_path):
    by_time = f"{EXCLUDED}\nsplit: {{by_time: when}}"
    first = read(tmp_path, ROWS, by_time)
    again = read(tmp_path, ROWS, by_time)
    moved = read(tmp_path, ROWS.assign(when=ROWS["when"].to_numpy()[::-1]), by_time)
    undivided = read(tmp_path, ROWS, EXCLUDED)
    assert first.fingerprint == again.fingerprint
    assert len({first.fingerprint, moved.fingerprint, undivided.fingerprint}) == 3
    assert list(first.rows.features) == ["x"]


def test_another_value_of_a_column_that_nothing_reads_is_the_same_data(tmp_path):
    first = read(tmp_path, ROWS, EXCLUDED)
    assert read(tmp_path, ROWS.assign(when="2020-01-01"), EXCLUDED).fingerprint == first.fingerprint


def test_customers_who_differ_in_an_excluded_id_alone_are_both_kept(tmp_path):
    dropping = f"{EXCLUDED}\ncleaning: {{duplicates: drop}}"
    assert len(read(tmp_path, ROWS, dropping).rows.target) == 20
    twice = pd.concat([ROWS, ROWS.head(5)], ignore_index=True)
    assert len(read(tmp_path, twice, dropping).rows.target) == 20


def test_a_feature_of_lists_is_refused_by_name(tmp_path):
    with pytest.raises(InvalidDocument, match=r"features.columns.tags: holds lists.*exclude the column"):
        read(tmp_path, ROWS, "features: {exclude: [id, when]}")


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param([[1, 2], [3]], id="lists"),
        pytest.param([{"a": [1]}, {"a": [2]}], id="objects"),
        pytest.param([np.zeros(5000), np.r_[np.zeros(2500), 1, np.zeros(2499)]], id="long-arrays"),
        pytest.param([["a"], None], id="nulls"),
    ],
)
def test_nested_cells_are_named_and_compared_by_what_they_hold(cells):
    rows = pd.DataFrame({"x": [1, 1, 1], "nested": [cells[0], cells[1], cells[0]]})
    assert row_content.fingerprint(rows) == row_content.fingerprint(rows.copy())
    assert row_content.fingerprint(rows) != row_content.fingerprint(rows[::-1].iloc[[0, 2, 1]])
    assert row_content.duplicated(rows).tolist() == [False, False, True]


def test_rows_with_nested_cells_may_be_expected_to_differ():
    rows = pd.DataFrame({"x": [1, 1], "nested": [[1], [1]]})
    (failure,) = validation.check(rows, Expectations(duplicates="refused")).failures
    assert failure.rows == 2
