from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deployments.batch.errors import InvalidBatchJob, NothingToScore
from deployments.batch.input_rows import RowBlock
from deployments.batch.job import LoggedRequests
from deployments.contracts.request_record import Decision, RequestRecord, Stage
from deployments.prediction_log.personal_data import PersonalDataKeys, new_key
from deployments.prediction_log.writer import PredictionLog
from deployments.runtime import columns

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def logged(scenario):
    """Three requests of two rows each at noon, one and two o'clock, and a shadow's copy of the first."""
    package = scenario.shop[scenario.job().version]
    held = columns.from_table(scenario.table(6), package.schema)
    numbers = np.where(held.valid, held.numeric, np.nan)
    uri = str(scenario.folder / "log")
    log = PredictionLog(uri, "gateway-1", None)
    stages = [(0, Stage.LIVE), (1, Stage.LIVE), (2, Stage.LIVE), (0, Stage.SHADOW)]
    for hour, stage in stages:
        rows = slice(2 * hour, 2 * hour + 2)
        log.record(
            RequestRecord(
                endpoint="shop",
                model="shop",
                stage=stage,
                decision=Decision("1.0.0", "1.0.0", "random", 1.0, 1),
                caller="test",
                began=(NOON + timedelta(hours=hour)).timestamp(),
                latency_seconds=0.01,
                model_seconds=0.001,
                attempts=1,
                path="compiled",
                outcome="OK",
                prediction_ids=[f"id-{hour}-{row}" for row in range(2)],
                schema=package.schema,
                metadata=package.metadata,
                numbers=numbers[rows].ravel().tolist(),
                texts=[text for row in range(2) for text in (c[2 * hour + row] for c in held.textual)],
                scores=np.array([[0.3, 0.7], [0.6, 0.4]]),
            )
        )
    log.close()
    return uri


def test_what_was_asked_is_scored_by_another_version(scenario, logged):
    scenario.run(version="1.1.0", input=logged, replay=LoggedRequests())
    made = scenario.output().to_pylist()
    assert sorted(row["logged_prediction_id"] for row in made) == [
        f"id-{hour}-{row}" for hour in range(3) for row in range(2)
    ]
    assert {(row["logged_version"], row["model_version"]) for row in made} == {("1.0.0", "1.1.0")}
    scenario.put("rows.parquet", scenario.table(6))
    scenario.run(version="1.1.0", output=str(scenario.folder / "direct"))
    direct = {row["age"]: row["probability"] for row in scenario.output("direct").to_pylist()}
    assert {row["age"]: row["probability"] for row in made} == direct


def test_of_a_span_of_time(scenario, logged):
    asked = LoggedRequests(since=NOON + timedelta(minutes=30), until=NOON + timedelta(minutes=90))
    scenario.run(version="1.1.0", input=logged, replay=asked)
    assert {row["logged_prediction_id"] for row in scenario.output().to_pylist()} == {"id-1-0", "id-1-1"}


def test_what_does_not_fit_has_the_row_of_the_log(scenario, logged):
    segment = max(Path(logged).glob("**/*.parquet"))
    table = pq.read_table(segment)
    for name, values in {"stage": ["shadow", "live"], "feature.age": [30.0, None]}.items():
        position = table.schema.get_field_index(name)
        table = table.set_column(position, name, pa.array(values, table.schema.field(position).type))
    pq.write_table(table, segment)
    scenario.run(version="1.1.0", input=logged, replay=LoggedRequests())
    assert [one["row"] for one in scenario.rejected()] == [1]


def test_a_log_without_requests_is_nothing_to_score(scenario, logged):
    with pytest.raises(NothingToScore, match="no request of shop in that time"):
        scenario.run(input=logged, replay=LoggedRequests(since=NOON + timedelta(days=2)))


def test_a_time_without_requests_in_the_hours_of_a_segment_is_an_output_without_rows(scenario, logged):
    asked = LoggedRequests(since=NOON + timedelta(minutes=10), until=NOON + timedelta(minutes=20))
    done = scenario.run(version="1.1.0", input=logged, replay=asked)
    assert (done.rows, done.files) == (0, ())


def test_personal_data_needs_its_keys(scenario, shop):
    from deployments.batch.logged_requests import Replay, logged_layout
    from deployments.contracts.feature_schema import Feature, FeatureKind
    from deployments.prediction_log.columns import PREDICTION_COLUMNS, encrypted, feature_field

    key = new_key()
    (scenario.folder / "key").write_text(key)
    keys = PersonalDataKeys([key])
    field = feature_field(Feature(name="income", kind=FeatureKind.NUMBER, pii=True))
    layout = PREDICTION_COLUMNS.append(field)
    with pytest.raises(InvalidBatchJob, match="income is encrypted in the log"):
        logged_layout(layout, LoggedRequests())
    asked = LoggedRequests(keys=f"file:{scenario.folder / 'key'}")
    assert str(logged_layout(layout, asked).field("income").type) == "double"

    values = {one.name: pa.nulls(2, one.type) for one in PREDICTION_COLUMNS} | {
        "stage": pa.array(["live", "live"])
    }
    table = pa.table([*values.values(), encrypted([1.5, None], keys)], schema=layout)
    block = RowBlock("log.parquet", np.arange(2), table)
    assert Replay(asked).requests(block).table["income"].to_pylist() == [1.5, None]
