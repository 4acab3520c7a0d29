"""The sample of predictions that a gateway's own log shows."""

import logging

import pytest
from logged_requests import request

from deployments.contracts.request_record import Stage
from deployments.gateway import prediction_events
from deployments.gateway.prediction_events import PERSONAL, PredictionEvents
from deployments.logs.json_lines import JsonLines


class Behind:
    def __init__(self):
        self.requests = []

    def record(self, record):
        self.requests.append(record)


@pytest.fixture
def events(caplog):
    """Lines of the log, as JSON has them."""
    logger = "raygate.prediction"
    caplog.set_level(logging.INFO, logger)
    return lambda: [JsonLines("gateway").format(record) for record in caplog.records if record.name == logger]


def test_an_event_has_every_field_and_no_personal_data(events):
    record = request(rows=2)
    PredictionEvents(1.0, None).record(record)
    (line,) = events()
    assert '"event":"prediction"' in line
    assert prediction_events.fields(record) == {
        "model_id": "credit-risk",
        "model_version": "1.0.0",
        "prediction_id": record.prediction_ids[0],
        "rows": 2,
        "latency_ms": 12.0,
        "outcome": "OK",
        "features": {"Income": 0.0, "Job": "fixed", "Owner": True, "Age": PERSONAL, "Note": PERSONAL},
        "prediction": "bad",  # 0.4 is above the threshold
    }
    for personal in ("alice", "note 0", "30"):
        assert f'"{personal}"' not in line


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(request(version="", scores=None, outcome="MODEL_UNAVAILABLE"), id="nothing-answered"),
        pytest.param(request(row_errors={0: "model_error"}), id="the-row-failed"),
    ],
)
def test_what_nobody_was_told_is_no_prediction(record):
    shown = prediction_events.fields(record)
    assert (shown["prediction"], shown["model_version"]) == (None, "1.0.0")


@pytest.mark.parametrize(
    ("share", "stage"),
    [
        pytest.param(0.0, Stage.LIVE, id="not-sampled"),
        pytest.param(1.0, Stage.SHADOW, id="a-copy-that-nobody-saw"),
    ],
)
def test_every_record_is_handed_on_and_not_every_one_is_shown(events, share, stage):
    behind = Behind()
    PredictionEvents(share, behind).record(request(stage=stage))
    assert events() == []
    assert len(behind.requests) == 1
