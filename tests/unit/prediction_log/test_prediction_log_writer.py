from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from logged_requests import METADATA, NOON, SCHEMA, feedback, prediction_id, request

from deployments.contracts.package import Task
from deployments.contracts.request_record import Decision, Stage
from deployments.prediction_log.labels import read_feedback
from deployments.prediction_log.open_segments import OpenSegments
from deployments.prediction_log.reader import read
from deployments.prediction_log.segment_writer import LogLimits, SegmentWriter
from deployments.prediction_log.writer import PredictionLog
from deployments.storage.location import Location


def written(root, *records, **options):
    """The log's rows after a gateway has recorded and closed."""
    log = PredictionLog(root, "gateway-1", **options)
    for record in records:
        log.record(record)
    log.close()
    return read(root).to_pylist()


def test_a_request_is_found_again_with_everything_that_was_known_of_it(root):
    decision = Decision("1.1.0", "1.0.0", "rule", 0.1, 7, rule="beta", experiment="exp-4", failover="POOL_GONE")
    record = request(5, decision=decision)
    (row,) = written(root, record)
    timestamp = row.pop("timestamp")
    assert timestamp.isoformat() == "2024-11-21T12:00:05+00:00"
    assert row == {
        "prediction_id": record.prediction_ids[0],
        "endpoint": "credit-risk",
        "model": "credit_risk",
        "version": "1.0.0",
        "assigned_version": "1.1.0",
        "stage": "live",
        "reason": "rule",
        "rule": "beta",
        "propensity": 0.1,
        "experiment": "exp-4",
        "policy_epoch": 7,
        "unit": None,
        "failover": "POOL_GONE",
        "caller": "shop",
        "gateway": "gateway-1",
        "sequence": 0,
        "row": 0,
        "latency_ms": 12.0,
        "model_ms": 2.0,
        "attempts": 1,
        "path": "compiled",
        "outcome": "OK",
        "error": None,
        "prediction": "bad",
        "probability": 0.4,
        "scores": [0.6, 0.4],
        "feature.Income": 5.0,
        "feature.Job": "fixed",
        "feature.Owner": True,
        "feature.Age": None,
        "feature.Note": None,
    }


def test_rows_of_one_request_stay_together_in_their_order(root):
    rows = written(root, request(0, rows=2), request(1), request(2, rows=3))
    assert [(row["sequence"], row["row"], row["feature.Income"]) for row in rows] == [
        (0, 0, 0.0), (0, 1, 1.0), (1, 0, 1.0), (2, 0, 2.0), (2, 1, 3.0), (2, 2, 4.0),
    ]  # fmt: skip


def test_a_failed_row_has_its_reason_and_its_neighbours_have_their_scores(root):
    scores = np.array([[0.9, 0.1], [np.nan, np.nan], [0.2, 0.8]])
    before, first, failed, third = written(
        root, request(1), request(2, rows=3, scores=scores, row_errors={1: "model_error"})
    )
    assert before["error"] is None
    assert (failed["error"], failed["prediction"], failed["probability"], failed["scores"]) == (
        "model_error", None, None, None,
    )  # fmt: skip
    assert (first["prediction"], first["probability"], first["error"]) == ("good", 0.9, None)
    assert (third["prediction"], third["probability"]) == ("bad", 0.8)


@pytest.mark.parametrize(
    ("task", "classes", "scores", "prediction", "probability"),
    [
        pytest.param(Task.BINARY, ("no", "yes"), [0.71, 0.29], "no", 0.71, id="below-the-threshold"),
        pytest.param(Task.BINARY, ("no", "yes"), [0.7, 0.3], "yes", 0.3, id="at-the-threshold"),
        pytest.param(Task.BINARY, (False, True), [0.1, 0.9], "true", 0.9, id="booleans-as-json-writes-them"),
        pytest.param(Task.MULTICLASS, (1, 2, 3), [0.2, 0.5, 0.3], "2", 0.5, id="most-probable-class"),
        pytest.param(Task.REGRESSION, (), [12.5], "12.5", None, id="regression-has-no-probability"),
    ],
)
def test_the_prediction_is_what_the_caller_was_told(root, task, classes, scores, prediction, probability):
    metadata = METADATA.model_copy(update={"task": task, "classes": classes})
    (row,) = written(root, request(metadata=metadata, scores=np.array([scores])))
    assert (row["prediction"], row["probability"], row["scores"]) == (prediction, probability, scores)


def test_a_request_that_nothing_answered_is_remembered_as_that(root):
    (row,) = written(root, request(version="", scores=None, outcome="DEADLINE_EXCEEDED", path=""))
    assert (row["version"], row["assigned_version"], row["outcome"]) == ("none", "1.0.0", "DEADLINE_EXCEEDED")
    assert (row["prediction"], row["scores"]) == (None, None)


def test_nulls_are_nulls(root):
    (row,) = written(root, request(numbers=[float("nan"), False, 30], texts=[None, None]))
    assert (row["feature.Income"], row["feature.Job"], row["feature.Owner"]) == (None, None, False)


def test_segments_lie_by_model_version_and_hour(root):
    written(
        root,
        request(0),
        request(1, version="1.1.0"),
        request(2, began=NOON + 3600),
        request(3, model="churn"),
        request(4, stage=Stage.SHADOW),
    )
    directories = sorted(str(path.parent.relative_to(root)) for path in Path(root).rglob("*.parquet"))
    assert directories == [
        "predictions/model=churn/version=1.0.0/date=2024-11-21/hour=12",
        "predictions/model=credit_risk/version=1.0.0/date=2024-11-21/hour=12",
        "predictions/model=credit_risk/version=1.0.0/date=2024-11-21/hour=13",
        "predictions/model=credit_risk/version=1.1.0/date=2024-11-21/hour=12",
    ]


def test_a_clock_that_jumps_back_loses_nothing(root):
    rows = written(root, *(request(number, began=NOON - 7200 * (number % 2)) for number in range(10)))
    assert sorted(row["sequence"] for row in rows) == list(range(10))


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"numbers": [1.0]}, id="too-few-numbers"),
        pytest.param({"texts": ["fixed"]}, id="too-few-texts"),
        pytest.param({"began": float("nan")}, id="no-moment"),
        pytest.param({"began": 1e12}, id="beyond-the-calendar"),
        pytest.param({"began": 1e14, "numbers": []}, id="alone-in-its-segment"),
    ],
)
def test_a_malformed_record_is_lost_alone_and_counted(root, caplog, fault):
    log = PredictionLog(root, "gateway-1")
    for record in (request(0), replace(request(1), **fault), request(2), replace(request(3), **fault)):
        log.record(record)
    log.close()
    assert read(root)["sequence"].to_pylist() == [0, 2]
    figures = log.figures()
    assert (figures.malformed_rows, figures.written_rows, figures.waiting_rows) == (2, 2, 0)
    assert figures.last_error
    assert sum("cannot be written" in message for message in caplog.messages) == 1


def test_beyond_the_bound_rows_are_dropped_counted_and_leave_a_gap(root):
    log = PredictionLog(root, "gateway-1", limits=LogLimits(waiting_rows=5))
    for record in (request(0, rows=4), request(1, rows=2), request(2)):
        log.record(record)
    log.close()
    assert sorted(set(read(root)["sequence"].to_pylist())) == [0, 2]
    assert (log.figures().dropped_rows, log.figures().written_rows) == (2, 5)


def test_feedback_that_cannot_wait_is_told_to_the_caller(root):
    log = PredictionLog(root, "gateway-1", limits=LogLimits(waiting_rows=1))
    assert [log.feedback(feedback(0)), log.feedback(feedback(1))] == [True, False]
    log.close()
    assert log.figures().dropped_rows == 1


@pytest.mark.parametrize(
    ("label", "text"),
    [
        pytest.param("bad", "bad", id="text"),
        pytest.param(True, "true", id="boolean"),
        pytest.param(3, "3", id="integer"),
        pytest.param(2.5, "2.5", id="real"),
        pytest.param(None, None, id="only-a-value"),
    ],
)
def test_labels_of_any_kind_are_texts(root, label, text):
    log = PredictionLog(root, "gateway-1")
    log.feedback(feedback(label=label, value=10))
    log.close()
    (row,) = read_feedback(root).to_pylist()
    assert (row["label"], row["value"]) == (text, 10.0)


def test_many_requests_come_out_in_the_order_in_which_they_were_answered(root):
    rows = written(root, *(request(number, rows=1 + number % 3) for number in range(700)))
    expected = [(number, row) for number in range(700) for row in range(1 + number % 3)]
    assert [(row["sequence"], row["row"]) for row in rows] == expected


def test_segments_are_written_at_their_size_or_age(root):
    now = 0.0
    writer = SegmentWriter(
        Location.of(root),
        OpenSegments("gateway-1", None),
        LogLimits(segment_rows=10, segment_seconds=30),
        clock=lambda: now,
    )

    def segments_after(seconds, *records):
        nonlocal now
        now += seconds
        for sequence, record in enumerate(records):
            writer.take((sequence, record))
        writer.seal()
        writer.write()
        return writer.segments

    assert segments_after(0, request(rows=9)) == 0
    assert segments_after(1, request(1)) == 1
    assert segments_after(1, request(2)) == 1
    assert segments_after(29) == 1
    assert segments_after(1) == 2


def test_ids_of_the_fixture_are_uuids_of_version_7():
    assert prediction_id(NOON, 1)[14] == "7"
    assert SCHEMA.numeric[2].pii
