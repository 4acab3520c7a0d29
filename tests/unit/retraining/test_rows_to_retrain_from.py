"""Logged rows beside the original set: what they are trained as, and what stays apart."""

import pandas as pd
import pytest

from ray_apps.retraining import labelled_rows
from ray_apps.retraining.plan import Rows
from training import data
from training.config import TrainingConfig

CONFIG = TrainingConfig.model_validate(
    {
        "model": "credit_risk",
        "source": {"kind": "csv", "path": "first.csv"},
        "target": {"column": "bad"},
        "versions": [{"family": "lightgbm"}],
    }
)
ROWS = Rows(minimum=20, judged=0.25)


def rows(first, count, labels=(0, 1)):
    """Rows of which none is like another."""
    income = [100.5 + number for number in range(first, first + count)]
    return pd.DataFrame({"Income": income, "bad": [labels[number % 2] for number in range(count)]})


def logged(first=1000, count=40, labels=("0", "1")):
    """Labels come as texts."""
    return rows(first, count, labels)


@pytest.mark.parametrize(
    ("labels", "wrong"),
    [
        pytest.param((0, 1), "n/a", id="whole-numbers"),
        pytest.param((0, 1), "0.5", id="between-them"),
        pytest.param((False, True), "maybe", id="booleans"),
    ],
)
def test_a_wrong_label_is_left_out_and_the_task_stays_what_it_was(labels, wrong):
    original, told = rows(0, 100, labels), logged(labels=[str(label).lower() for label in labels])
    told.loc[7, "bad"] = wrong
    parts = labelled_rows.divide(told, original, CONFIG, ROWS)
    assert parts.logged == 39
    for part in (parts.trained, parts.judged):
        assert part["bad"].dtype == original["bad"].dtype
        assert data.question(part["bad"], CONFIG.target) == data.question(original["bad"], CONFIG.target)


def test_rows_that_judge_are_not_among_the_trained_ones_of_a_source_that_lives():
    told, first = logged(), rows(0, 100)
    parts = labelled_rows.divide(told, pd.concat([first, rows(1000, 40)], ignore_index=True), CONFIG, ROWS)
    assert (len(parts.judged), parts.left_out) == (10, 10)
    assert set(parts.judged["Income"]).isdisjoint(parts.trained["Income"])
    assert len(parts.trained) == 100 + 30 + 30


def test_a_request_that_was_repeated_does_not_stand_on_both_sides_of_the_cut():
    told = pd.concat([logged(count=30), logged(first=1000, count=10)], ignore_index=True)
    parts = labelled_rows.divide(told, rows(0, 100), CONFIG, ROWS)
    assert parts.left_out == 10
    assert set(parts.judged["Income"]).isdisjoint(parts.trained["Income"])


def test_the_same_features_with_another_truth_are_another_row():
    told = logged(count=40)
    otherwise = told.iloc[-10:].assign(bad=lambda frame: 1 - frame["bad"].astype(int))
    parts = labelled_rows.divide(told, pd.concat([rows(0, 100), otherwise], ignore_index=True), CONFIG, ROWS)
    assert parts.left_out == 0
