"""What is known of rows that no process sees all of: the same, however they are divided into lots."""

import numpy as np
import pandas as pd
import pytest

from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument
from training import feature_schema
from training.config import Split, TrainingConfig
from training.distributed import portions, summary
from training.distributed.portions import TEST, TRAIN, VALIDATION, Portions

DOCUMENT = """
model: m
source: {kind: parquet, path: rows}
target: {column: y}
distributed: true
versions: [{version: 1.0.0, family: xgboost}]
"""


def config(**changed):
    lines = [line for line in DOCUMENT.strip().splitlines() if line.partition(":")[0] not in changed]
    lines += [f"{name}: {value}" for name, value in changed.items() if value]
    return yaml_document.read("\n".join(lines), "t.yaml", TrainingConfig)


@pytest.fixture(scope="module")
def rows():
    draw = np.random.default_rng(5)
    table = pd.DataFrame({"x": draw.normal(size=6000), "c": draw.choice(list("abc"), 6000)})
    table["n"] = table["x"].where(draw.random(6000) < 0.9)
    table["y"] = draw.choice(["no", "yes"], 6000)
    table.loc[4321, "c"] = "seldom"
    return table


def known(lots, kept=(1.0, 1.0, 1.0), document=None):
    document = document or config()
    return summary.merge(
        [summary.summarise(lot, document, Portions(document.split, kept)) for lot in lots], document
    )


def test_rows_divide_into_parts_of_the_shares_that_a_document_wants(rows):
    counts = known([rows]).counts
    assert sum(counts) == 6000
    assert [count / 6000 for count in counts] == pytest.approx([0.7, 0.15, 0.15], abs=0.02)


def test_equal_rows_are_never_in_two_parts(rows):
    parts = Portions(Split()).parts(Portions(Split()).draws(portions.hashes(pd.concat([rows, rows]))))
    assert (parts[:6000] == parts[6000:]).all()


def test_another_seed_divides_otherwise(rows):
    first, second = (
        Portions(Split(seed=seed)).parts(Portions(Split(seed=seed)).draws(portions.hashes(rows)))
        for seed in (1, 2)
    )
    assert 0.3 < (first == second).mean() < 0.7


def test_a_whole_number_stays_where_it_was_when_a_null_makes_the_column_real():
    whole = pd.DataFrame({"x": [1, 2, 3]})
    with_null = pd.DataFrame({"x": [1, 2, 3, None]})
    assert portions.hashes(whole).tolist() == portions.hashes(with_null).tolist()[:3]


@pytest.mark.parametrize("lots", [1, 2, 7, 60])
def test_what_is_known_does_not_depend_on_the_lots_nor_on_their_order(rows, lots):
    whole = known([rows], kept=(0.1, 0.5, 0.5))
    divided = known(np.array_split(rows, lots)[::-1], kept=(0.1, 0.5, 0.5))
    assert divided.counts == whole.counts
    assert summary.fingerprint(divided) == summary.fingerprint(whole)
    pd.testing.assert_frame_equal(divided.sample, whole.sample, check_dtype=False)
    pd.testing.assert_frame_equal(divided.witnesses, whole.witnesses, check_dtype=False)


def test_one_changed_value_is_another_fingerprint(rows):
    changed = rows.copy()
    changed.loc[17, "c"] = "d"
    assert summary.fingerprint(known([changed])) != summary.fingerprint(known([rows]))


def test_the_schema_of_the_witnesses_is_that_of_all_training_rows(rows):
    found = known([rows], kept=(0.0, 0.0, 0.0))
    all_rows = known([rows]).sample
    train = all_rows[all_rows[summary.PART] == TRAIN]
    assert len(found.witnesses) < 20
    columns = ["x", "c", "n"]
    assert feature_schema.infer(found.witnesses[columns]) == feature_schema.infer(train[columns])


def test_a_sample_holds_about_as_many_rows_of_each_part_as_it_may(rows):
    wanted = Portions.sampled(Split(), 6000, 300)
    sample = summary.summarise(rows, config(), wanted).sample
    sizes = [int((sample[summary.PART] == part).sum()) for part in (TRAIN, VALIDATION, TEST)]
    assert sizes == pytest.approx([300] * 3, rel=0.2)


def test_expectations_are_told_for_all_lots_together(rows):
    document = config(expectations="{rows_at_least: 6000, columns: {x: {maximum: 2}, c: {allowed: [a, b, c]}}}")
    found = known(np.array_split(rows, 3), document=document)
    told = {failure.column: str(failure) for failure in found.failures}
    too_large = int((rows["x"] > 2).sum())
    assert told["x"].startswith(f"x must be at most 2; not so in {too_large} rows (")
    assert told["c"] == "c must be one of a, b, c; not so in 1 row ('seldom')"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        pytest.param({"source": "{kind: csv, path: r.csv}"}, "distributed training reads parquet", id="source"),
        pytest.param({"split": "{by_time: x}"}, "split.by_time", id="time"),
        pytest.param({"cleaning": "{duplicates: drop}"}, "cleaning.duplicates", id="duplicates"),
        pytest.param({"expectations": "{keys: [[x]]}"}, "duplicates, keys and unique", id="keys"),
        pytest.param(
            {"expectations": "{columns: {x: {nulls_at_most: 0.1}}}"},
            "nulls_at_most would need all rows",
            id="nulls",
        ),
        pytest.param(
            {"versions": "[{version: 1.0.0, family: random_forest}]"},
            "1.0.0 is a random_forest; lightgbm and xgboost can be",
            id="family",
        ),
        pytest.param(
            {"versions": "[{version: 1.0.0, family: xgboost, calibration: sigmoid}]"},
            "calibration",
            id="calibration",
        ),
        pytest.param({"distributed": "{workers: 0}"}, "workers", id="no-workers"),
    ],
)
def test_what_cannot_be_distributed_is_told_when_the_document_is_read(changed, says):
    with pytest.raises(InvalidDocument, match=says):
        config(**changed)


@pytest.mark.parametrize(("written", "workers"), [("false", None), ("true", 2), ("{workers: 5}", 5)])
def test_a_document_says_yes_no_or_how(written, workers):
    wanted = config(distributed=written).distributed
    assert (wanted.workers if wanted else None) == workers
