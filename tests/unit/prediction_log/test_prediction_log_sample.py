"""A sample that is as likely to hold one row as another, and no larger than asked for."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from logged_requests import NOON, request

from deployments.prediction_log import compaction, sample
from deployments.prediction_log.writer import PredictionLog
from deployments.storage.location import Location

COLUMNS = ["timestamp", "sequence", "feature.Income"]


@pytest.fixture
def log(root):
    """Of three gateways, whose shares differ: 40, 300 and 60 rows over two hours."""
    for name, rows in (("a", 40), ("b", 300), ("c", 60)):
        writer = PredictionLog(root, name)
        for number in range(rows):
            writer.record(request(number, began=NOON + 7200 * number / rows))
        writer.close()
    return root


def drawn(log, **options):
    return sample.draw(log, **{"model": "credit_risk", "version": "1.0.0", "columns": COLUMNS, **options})


def test_where_there_is_no_more_all_rows_are_given_in_their_order(log):
    found = drawn(log)
    assert (found.rows.num_rows, found.of) == (400, 400)
    assert found.rows.column_names == COLUMNS
    times = found.rows["timestamp"].to_pylist()
    assert times == sorted(times)


def test_every_row_is_as_likely_as_any_other_whichever_segment_holds_it(log, monkeypatch):
    monkeypatch.setattr(sample, "BATCH_ROWS", 16)
    columns = [*COLUMNS, "gateway"]
    found = [drawn(log, rows=20, seed=seed, columns=columns) for seed in range(40)]
    assert {(one.rows.num_rows, one.of) for one in found} == {(20, 400)}
    counted = pc.value_counts(pa.concat_tables([one.rows for one in found])["gateway"]).to_pylist()
    shares = {one["values"]: one["counts"] / 800 for one in counted}
    assert shares == {
        "a": pytest.approx(0.1, abs=0.04),
        "b": pytest.approx(0.75, abs=0.06),
        "c": pytest.approx(0.15, abs=0.05),
    }
    middle = np.mean([value for one in found for value in one.rows["feature.Income"].to_pylist()])
    assert middle == pytest.approx(0.1 * 20 + 0.75 * 150 + 0.15 * 30, rel=0.1)


def test_the_same_seed_draws_the_same_rows(log):
    assert drawn(log, rows=20).rows.equals(drawn(log, rows=20).rows)
    assert not drawn(log, rows=20).rows.equals(drawn(log, rows=20, seed=1).rows)


def test_only_what_was_asked_for_is_drawn_from(log):
    since, until = (datetime.fromtimestamp(NOON + second, UTC) for second in (1800, 5400))
    half = drawn(log, since=since, until=until, where=lambda table: table.filter(pc.less(table["sequence"], 200)))
    assert half.of == 20 + 125 + 30


def test_a_log_without_the_version_gives_an_empty_sample(log):
    found = drawn(log, version="9.9.9")
    assert (found.rows.num_rows, found.of) == (0, 0)


def test_a_compacted_log_is_the_same_rows(log):
    compaction.compact(Location.of(log), "predictions/model=credit_risk/version=1.0.0/date=2024-11-21/hour=12")
    assert drawn(log, rows=20).of == 400
