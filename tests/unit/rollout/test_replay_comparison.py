"""Candidate and stable on the same logged requests."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from deployments.contracts import labels
from deployments.prediction_log.columns import FEEDBACK_COLUMNS
from deployments.prediction_log.labels import latest
from ray_apps.replay_comparison import as_texts, compared

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def answers(*rows):
    """Id, what stable had answered, and what the candidate answers."""
    ids, logged, given = zip(*rows, strict=True)
    columns = {"logged_prediction_id": list(ids), "logged_prediction": list(logged), "prediction": list(given)}
    return pa.RecordBatch.from_pydict(columns)


def truth(**told):
    return pa.table({"prediction_id": pa.array(told, pa.string()), "label": pa.array(told.values(), pa.string())})


def test_both_are_compared_on_the_same_requests():
    batch = answers(("a", "good", "good"), ("b", "good", "bad"), ("c", "bad", "bad"), ("d", None, "bad"))
    found = compared([batch], truth(a="good", b="bad", d="bad"))
    assert (found.rows, found.disagreements) == (3, 1)
    assert (found.candidate.count, found.candidate.mean, found.stable.mean) == (2, 1.0, 0.5)


def test_parts_add_up():
    parts = [answers(("a", "good", "bad")), answers(("b", "good", "good"), ("c", "bad", "good"))]
    found = compared(parts, truth(a="bad", c="bad"), rejected=2)
    assert (found.rows, found.disagreements, found.rejected) == (3, 2, 2)
    assert (found.candidate.mean, found.stable.mean) == (0.5, 0.5)


def test_without_requests_that_is_told():
    found = compared([], truth())
    assert (found.is_done, found.rows, found.candidate.count) == (True, 0, 0)
    assert found.told == "no logged request of that time was answered by stable"


@pytest.mark.parametrize(
    ("logged", "given", "label"),
    [
        pytest.param("1", 1, "1", id="whole-numbers"),
        pytest.param("1", 1, "1.0", id="a-label-that-came-with-a-decimal-point"),
        pytest.param("1", "1", "1", id="numbers-as-texts"),
        pytest.param("-1", -1, "-1.0", id="negative-numbers"),
        pytest.param("true", True, "true", id="booleans"),
        pytest.param("São Paulo", "São Paulo", "São Paulo", id="texts"),
    ],
)
def test_a_label_is_the_same_label_whatever_type_it_has(logged, given, label):
    found = compared([answers(("a", logged, given))], truth(a=label))
    assert (found.rows, found.disagreements) == (1, 0)
    assert (found.candidate.mean, found.stable.mean) == (1.0, 1.0)


@pytest.mark.parametrize(("logged", "given"), [("1", 10), ("true", False), ("1.5", "15"), ("a.0", "a")])
def test_another_label_is_another_label(logged, given):
    assert compared([answers(("a", logged, given))], truth()).disagreements == 1


@pytest.mark.parametrize("classes", [(0, 1, -7), (True, False), ("good", "bad", "1.5")])
def test_labels_have_the_texts_that_the_log_gives_them(classes):
    assert as_texts(pa.array(classes)).to_pylist() == [labels.text(label) for label in classes]


def test_where_nobody_told_anything_there_is_no_label():
    assert compared([answers(("a", "x", "y"))], latest(FEEDBACK_COLUMNS.empty_table())).stable.count == 0


def test_many_rows_are_counted_as_they_are():
    count = 300_000
    numbers = np.arange(count)
    ids = pa.array(numbers).cast(pa.string())
    logged = pa.array(np.where(numbers % 2, "good", "bad"))
    batch = pa.record_batch(
        {"logged_prediction_id": ids, "logged_prediction": logged, "prediction": pa.array(["good"] * count)}
    )
    told = pa.table({"prediction_id": ids.slice(0, 1000), "label": logged.slice(0, 1000)})
    found = compared([batch.slice(0, count // 2), batch.slice(count // 2)], told)
    assert (found.rows, found.disagreements) == (count, count // 2)
    assert (found.stable.count, found.stable.mean, found.candidate.mean) == (1000, 1.0, 0.5)
