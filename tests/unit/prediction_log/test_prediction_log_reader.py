from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from logged_requests import NOON, SCHEMA, feedback, prediction_id, request

from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.request_record import Stage
from deployments.prediction_log import catalogue, schema_union
from deployments.prediction_log.errors import InvalidLogQuery, SegmentUnreadable
from deployments.prediction_log.gaps import GatewayGaps, missing
from deployments.prediction_log.labels import labelled, latest, read_feedback
from deployments.prediction_log.layout import Partition, segment_name
from deployments.prediction_log.reader import files, find, read
from deployments.prediction_log.segment import SegmentNote, encode
from deployments.prediction_log.segment_writer import LogLimits
from deployments.prediction_log.writer import PredictionLog
from deployments.storage.location import Location

NOON_UTC = datetime(2024, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def write(root, *records, gateway="gateway-1", **limits):
    """What one gateway writes; every call makes segments of its own."""
    log = PredictionLog(root, gateway, limits=LogLimits(**limits))
    for record in records:
        if hasattr(record, "feedback_id"):
            log.feedback(record)
        else:
            log.record(record)
    log.close()


@pytest.mark.parametrize(
    ("query", "sequences"),
    [
        pytest.param({}, [0, 1, 2, 3, 4], id="everything"),
        pytest.param({"model": "churn"}, [3], id="model"),
        pytest.param({"model": "credit_risk", "version": "1.1.0"}, [1], id="model-and-version"),
        pytest.param({"version": "1.1.0"}, [1], id="version-of-any-model"),
        pytest.param({"model": "unknown"}, [], id="nothing"),
        pytest.param({"since": NOON_UTC + HOUR}, [2, 4], id="since"),
        pytest.param({"until": NOON_UTC + timedelta(seconds=5)}, [], id="until-is-not-included"),
        pytest.param({"since": NOON_UTC + timedelta(seconds=5), "until": NOON_UTC + HOUR}, [0, 1, 3], id="span"),
    ],
)
def test_a_question_is_answered_with_the_rows_that_it_asks_for(root, query, sequences):
    write(
        root,
        request(0),
        request(1, version="1.1.0"),
        request(2, began=NOON + 3600),
        request(3, model="churn"),
        request(4, began=NOON + 5400),
    )
    assert sorted(read(root, **query)["sequence"].to_pylist()) == sequences


def test_a_log_that_has_nothing_yet_is_an_empty_table(root):
    assert read(root).num_rows == 0
    assert read(root, columns=["version", "feature.Income"]).schema.names == ["version"]
    assert read_feedback(root).num_rows == 0
    assert labelled(root).num_rows == 0
    assert files(root) == []


def test_a_moment_without_a_time_zone_is_refused(root):
    with pytest.raises(InvalidLogQuery, match="is not a moment with a time zone"):
        read(root, since=datetime(2024, 11, 21))


def test_only_the_columns_that_are_asked_for_are_read(root):
    write(root, request(7))
    assert read(root, columns=["feature.Income", "version", "feature.Unknown"]).to_pylist() == [
        {"feature.Income": 7.0, "version": "1.0.0"}
    ]


def changed(**kinds):
    return FeatureSchema(features=tuple(Feature(name=name, kind=kind) for name, kind in kinds.items()))


def test_segments_of_an_older_schema_stay_readable(root):
    write(root, request(0))
    new = changed(Income=FeatureKind.TEXT, Region=FeatureKind.CATEGORY)
    write(root, request(1, schema=new, numbers=[], texts=["high", "north"]), gateway="gateway-2")
    old_row, new_row = read(root).sort_by("gateway").to_pylist()
    assert (old_row["feature.Income"], old_row["feature.Region"], old_row["feature.Job"]) == ("0", None, "fixed")
    assert (new_row["feature.Income"], new_row["feature.Region"], new_row["feature.Job"]) == (
        "high",
        "north",
        None,
    )


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["feature.a", "feature.b", "feature.c"]),
            st.sampled_from([1.5, True, "text", 7, None]),
            min_size=1,
        ),
        max_size=5,
    )
)
def test_tables_of_any_types_join_without_losing_a_row_or_a_column(rows):
    tables = [pa.Table.from_pylist([row]) for row in rows]
    whole = schema_union.joined(tables, pa.schema({"version": pa.string()}))
    assert whole.num_rows == len(rows)
    assert set(whole.schema.names) == {"version", *(name for row in rows for name in row)}
    for row, joined in zip(rows, whole.to_pylist(), strict=True):
        assert {name for name, value in joined.items() if value is not None} == {
            name for name, value in row.items() if value is not None
        }


def test_files_that_are_not_the_logs_own_are_passed_over(root):
    write(root, request(0))
    hour = Path(files(root)[0]).parent
    (hour / ".20241121T120005-gateway-9-0000000000.parquet.ab12.tmp").write_bytes(b"PAR1 half a file")
    (hour / "_SUCCESS").touch()
    (hour / "notes.txt").write_text("not a segment")
    (hour.parent / "hour=99").mkdir()
    (hour.parent / "hour=99" / Path(files(root)[0]).name).write_bytes(b"no such hour")
    (hour / "export.parquet").write_bytes(b"somebody's own")
    (Path(root) / "predictions" / "stray.parquet").write_bytes(b"no partition")
    assert read(root)["sequence"].to_pylist() == [0]


def test_a_damaged_segment_is_named(root):
    write(root, request(0))
    segment = Path(files(root)[0])
    segment.write_bytes(segment.read_bytes()[:-20])
    with pytest.raises(SegmentUnreadable, match=segment.name):
        read(root)


def test_a_segment_of_a_later_release_is_refused_and_not_misread(root):
    path = Path(root) / Partition.of_prediction("credit_risk", "1.0.0", int(NOON // 3600)).path
    path.mkdir(parents=True)
    note = SegmentNote(gateway="gateway-1", schema_version=99)
    (path / segment_name(NOON, "gateway-1", 0)).write_bytes(encode(pa.table({"new": [1]}), note))
    with pytest.raises(SegmentUnreadable, match="schema version 99; this release reads up to 1"):
        read(root)


def test_a_segment_tells_who_wrote_it_and_which_numbers_it_spans(root):
    write(root, request(0), request(1, version="1.1.0"), request(2))
    first = next(path for path in files(root) if "version=1.0.0" in path)
    note = SegmentNote.of(pq.read_schema(first), first)
    assert (note.gateway, note.first_sequence, note.last_sequence, note.schema_version) == ("gateway-1", 0, 2, 1)


@pytest.mark.parametrize(
    "seconds", [0, -3605, 3595, -7300], ids=["noon", "hour-before", "next-hour", "clock-set-back"]
)
def test_a_prediction_is_found_by_its_id(root, seconds):
    known = prediction_id(NOON, 42)
    write(
        root, request(1), request(2, began=NOON + seconds, prediction_ids=[known]), request(3, began=NOON + 9000)
    )
    assert find(root, known)["feature.Income"] == 2.0


def test_an_answer_of_a_shadow_is_found_beside_the_live_one(root):
    write(root, request(1), request(1, version="1.1.0", stage=Stage.SHADOW))
    known = prediction_id(NOON, 1000)
    assert find(root, known)["version"] == "1.0.0"
    assert find(root, known, stage=Stage.SHADOW)["version"] == "1.1.0"


def test_an_unknown_prediction_is_none_and_a_malformed_id_is_refused(root):
    write(root, request(1))
    assert find(root, prediction_id(NOON, 99)) is None
    with pytest.raises(InvalidLogQuery, match="prediction_id: 'abc' is not a UUIDv7"):
        find(root, "abc")


def test_numbers_that_no_segment_has_are_counted_by_gateway(root):
    write(root, request(0), request(1, rows=9), request(2, version="1.1.0"), request(3), waiting_rows=8)
    write(root, request(0), request(1), gateway="gateway-2")
    assert missing(root) == {"gateway-1": GatewayGaps(0, 3, 1), "gateway-2": GatewayGaps(0, 1, 0)}


def test_feedback_that_came_twice_counts_once_and_the_first_wins(root):
    write(root, feedback(1, received=NOON + 30, label="bad"), gateway="gateway-2")
    write(root, feedback(1, received=NOON + 20, label="good"), feedback(2))
    assert read_feedback(root).select(["feedback_id", "label"]).to_pylist() == [
        {"feedback_id": "feedback-1", "label": "good"},
        {"feedback_id": "feedback-2", "label": "bad"},
    ]


def test_a_repeat_after_midnight_is_known_as_one(root):
    midnight = datetime(2024, 11, 22, tzinfo=UTC)
    write(root, feedback(1, received=midnight.timestamp() - 1), feedback(1, received=midnight.timestamp() + 1))
    assert read_feedback(root, since=midnight).num_rows == 0


def test_segments_that_were_closed_before_are_not_read_for_what_came_later(root):
    write(root, feedback(1))
    write(root, feedback(2, received=NOON + 7200), feedback(3, received=NOON + 7220))
    since = datetime.fromtimestamp(NOON + 7210, UTC)
    assert len(catalogue.feedback(Location.of(root), since)) == 1
    assert read_feedback(root, since=since, repeated_within=timedelta(0))["feedback_id"].to_pylist() == [
        "feedback-3"
    ]


def test_of_several_labels_the_last_one_counts_and_a_value_alone_is_none(root):
    told = [("a", "good"), ("b", None), ("a", "bad"), ("a", None), ("c", "good")]
    table = pa.table(dict(zip(("prediction_id", "label"), zip(*told, strict=True), strict=True)))
    assert latest(table).to_pylist() == [
        {"prediction_id": "a", "label": "bad"},
        {"prediction_id": "c", "label": "good"},
    ]
    assert latest(read_feedback(root)).num_rows == 0


def test_labels_find_their_predictions_days_later(root):
    write(root, request(1), request(2), request(2, stage=Stage.SHADOW, version="1.1.0"))
    week = 7 * 86_400
    write(
        root,
        feedback(1, received=NOON + week, label="bad"),
        feedback(2, received=NOON + week, label="good"),
        feedback(3, received=NOON + week, label="good"),
        feedback(4, of=prediction_id(NOON, 2000), received=NOON + 2 * week, label=None, value=12.5),
    )
    rows = labelled(root, until=NOON_UTC + HOUR, columns=["stage", "feature.Income"]).to_pylist()
    assert [(row["feature.Income"], row["stage"], row["label"], row["value"]) for row in rows] == [
        (1.0, "live", "bad", None),
        (2.0, "live", "good", None),
        (2.0, "live", None, 12.5),
        (2.0, "shadow", "good", None),
        (2.0, "shadow", None, 12.5),
    ]
    assert labelled(root, version="1.1.0")["scores"].to_pylist() == [[0.6, 0.4], [0.6, 0.4]]


def test_duckdb_reads_the_segments(root):
    write(root, request(0), request(1, version="1.1.0"), request(2, model="churn"))
    rows = duckdb.sql(
        'SELECT version, count(*), avg("feature.Income") FROM read_parquet($files, union_by_name = true) '
        "WHERE model = 'credit_risk' GROUP BY version ORDER BY version",
        params={"files": files(root)},
    ).fetchall()
    assert rows == [("1.0.0", 1, 0.0), ("1.1.0", 1, 1.0)]


def test_duckdb_prunes_by_the_partitions_of_a_directory(root):
    write(root, request(0), request(1, began=NOON + 3600), request(2, model="churn"))
    rows = duckdb.sql(
        "SELECT sequence FROM read_parquet($pattern, hive_partitioning = true, union_by_name = true) "
        "WHERE model = 'credit_risk' AND date = '2024-11-21' AND hour = 13",
        params={"pattern": f"{root}/predictions/**/*.parquet"},
    ).fetchall()
    assert rows == [(1,)]


def test_pandas_reads_the_segments(root):
    write(root, request(0), request(1, scores=None, texts=[None, None]))
    frame = pd.concat(pd.read_parquet(path) for path in files(root))
    assert frame["feature.Income"].tolist() == [0.0, 1.0]
    assert str(frame["timestamp"].dtype) == "datetime64[ms, UTC]"
    assert np.array_equal(frame["scores"].iloc[0], [0.6, 0.4])
    assert read(root).to_pandas()["feature.Job"].tolist() == ["fixed", None]
    assert SCHEMA.features[1].nullable
