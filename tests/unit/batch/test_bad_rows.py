"""Rows that cannot be scored: put aside with reasons, up to a limit."""

import pandas as pd
import pyarrow as pa
import pytest

from deployments.batch.errors import TooManyRejectedRows
from deployments.batch.ledger import Ledger, State
from deployments.storage.location import Location


def test_bad_rows_are_put_aside_with_reasons_and_the_others_scored(scenario):
    table = scenario.table(50)
    ages = table["age"].to_pylist()
    ages[3] = None
    incomes = [None if pd.isna(one) else one for one in table["income"].to_pylist()]
    incomes[7] = float("inf")
    table = table.set_column(1, "age", pa.array(ages)).set_column(3, "income", pa.array(incomes))
    scenario.put("rows.parquet", table)
    manifest = scenario.run()
    assert (manifest.rows, manifest.rejected) == (48, 2)
    assert not {"c3", "c7"} & set(scenario.output()["customer"].to_pylist())
    told = {one["row"]: one for one in scenario.rejected()}
    assert told[3]["reasons"][0]["field"] == "age"
    assert "must not be null" in told[3]["reasons"][0]["message"]
    assert told[7]["reasons"] == [{"field": "income", "message": "must be a finite number, not inf"}]
    assert told[3]["values"]["customer"] == "c3"


@pytest.mark.parametrize(
    ("line", "field", "message"),
    [
        pytest.param("c1,old,Bern,3000,true", "age", "must be a number, not 'old'", id="word-for-number"),
        pytest.param("c1,,Bern,3000,true", "age", "must not be null", id="nothing-for-number"),
        pytest.param("c1,30,Bern,3000,maybe", "member", "must be true or false, not 'maybe'", id="no-boolean"),
        pytest.param("c1,30,Bern", "", "has 3 fields; the first line names 5", id="too-short"),
    ],
)
def test_bad_rows_of_csv(scenario, line, field, message):
    scenario.text("rows.csv", f"customer,age,city,income,member\nc0,30,Bern,3000,true\n{line}\nc2,4e1,,,false\n")
    manifest = scenario.run(output_format="parquet")
    assert scenario.output()["customer"].to_pylist() == ["c0", "c2"]
    (told,) = scenario.rejected()
    assert (told["row"], told["reasons"][0]["field"]) == (1, field)
    assert message in told["reasons"][0]["message"]
    assert manifest.rejected == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param('{"age": "old"}', "age: must be a number", id="word-for-number"),
        pytest.param("{", "is not JSON", id="no-json"),
        pytest.param("[1]", "must be an object", id="no-object"),
        pytest.param('{"colour": 1}', "colour: no such field", id="field-that-nothing-had"),
    ],
)
def test_bad_rows_of_json_lines(scenario, line, message, monkeypatch):
    monkeypatch.setattr("deployments.batch.input_rows.LINES_FOR_TYPES", 1)
    good = '{"customer": "c0", "age": 30, "city": null, "income": 1.5, "member": true}'
    scenario.text("rows.jsonl", f"{good}\n\n{line}\n{good}\n")
    assert scenario.run(output_format="parquet").rows == 2
    (told,) = scenario.rejected()
    assert told["row"] == 2
    assert message in told["reasons"][0]["message"]


@pytest.mark.parametrize(
    ("name", "lines", "expected"),
    [
        pytest.param(
            "rows.csv",
            [
                *("customer,age,city,income,member", "c0,30,,1,true", "c1,30,,1,true", "c2,30,,1,true"),
                *("c3,30,,1,true", "short,1", "", "c5,old,,1,true", "short,2"),
                *('"c\n7",30,,1,true', "c8,old,,1,true", "short,3"),
            ],
            {4: "short", 5: "c5", 6: "short", 8: "c8", 9: "short"},
            id="csv",
        ),
        pytest.param(
            "rows.jsonl",
            ['{"customer": "c0", "age": 30}', "", "short", "  ", '{"customer": "c4", "age": null}', "short"],
            {2: "short", 4: "c4", 5: "short"},
            id="json-lines",
        ),
    ],
)
@pytest.mark.parametrize("rows_at_a_time", [2, 1000])
def test_bad_rows_have_the_numbers_of_the_file_behind_blank_and_malformed_lines(
    scenario, name, lines, expected, rows_at_a_time, monkeypatch
):
    monkeypatch.setattr("deployments.batch.input_rows.ROWS_AT_A_TIME", rows_at_a_time)
    lines = [line.replace('"age": 30', '"age": 30, "city": null, "income": 1, "member": true') for line in lines]
    scenario.text(name, "\n".join(lines) + "\n")
    scenario.run(output_format="parquet")
    told = {one["row"]: one["values"] for one in scenario.rejected()}
    assert {row: held.get("customer", "short") for row, held in told.items()} == expected


def test_more_bad_rows_than_the_limit_stop_the_job_and_no_part_of_the_unit_shows(scenario):
    table = scenario.table(50)
    scenario.put("rows.parquet", table.set_column(1, "age", pa.nulls(50, pa.int64())))
    with pytest.raises(TooManyRejectedRows, match="at most 10 may") as raised:
        scenario.run(max_rejected_rows=10)
    assert "_rejected" in str(raised.value)
    assert not list((scenario.folder / "out").glob("part*"))
    assert not (scenario.folder / "out" / "_SUCCESS").exists()
    assert Ledger(Location.of(str(scenario.folder / "out"))).progress().state is State.FAILED
