import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.contracts.errors import InvalidRows
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.gateway.row_validation import PROBLEM_LIMIT, RowValidator


@pytest.fixture
def validator(schema):
    return RowValidator(schema)


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        pytest.param(
            {"Age": ...}, "features[1].Age", "is required (a number; training saw 18 to 68)", id="missing"
        ),
        pytest.param({"Age": None}, "features[1].Age", "must not be null", id="null-never-seen"),
        pytest.param({"Age": "30"}, "features[1].Age", "must be a number, not '30'", id="text-for-number"),
        pytest.param({"Age": True}, "features[1].Age", "must be a number, not True", id="boolean-for-number"),
        pytest.param({"Age": math.nan}, "features[1].Age", "must be a finite number", id="nan"),
        pytest.param({"Age": math.inf}, "features[1].Age", "must be a finite number", id="infinity"),
        pytest.param({"Age": [30]}, "features[1].Age", "must be a number, not a list", id="list-for-number"),
        pytest.param({"Owner": 1}, "features[1].Owner", "must be true or false, not 1", id="number-for-boolean"),
        pytest.param({"Job": 3}, "features[1].Job", "must be a text, not 3", id="number-for-category"),
        pytest.param({"Wage": 1}, "features[1].Wage", "is not a feature of this model", id="unknown"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_position_and_name(validator, row, change, field, message):
    bad = {name: value for name, value in {**row, **change}.items() if value is not ...}
    with pytest.raises(InvalidRows) as refused:
        validator.validate([row, bad])
    (problem,) = refused.value.problems
    assert problem.where == field
    assert message in problem.message


def test_allowed_numbers_are_told_and_others_are_answered():
    grade = Feature(name="grade", kind=FeatureKind.NUMBER, categories=("1", "2.5"), minimum=1, maximum=3)
    validator = RowValidator(FeatureSchema(features=(grade,)))
    with pytest.raises(InvalidRows, match=r"a number: one of 1, 2\.5"):
        validator.validate([{}])
    assert validator.validate([{"grade": 3}]).unseen == []


def test_every_wrong_field_of_a_row_is_told_at_once(validator):
    with pytest.raises(InvalidRows) as refused:
        validator.validate([{"Wage": 1}], single=True)
    assert {problem.where for problem in refused.value.problems} == {
        "features.Age",
        "features.Owner",
        "features.Wage",
    }


@pytest.mark.parametrize("value", [3, None, "row", [1]], ids=str)
def test_a_row_that_is_no_object_is_refused(validator, value):
    with pytest.raises(InvalidRows, match=r"features\[0\].*must be an object"):
        validator.validate([value])


def test_a_feature_that_training_saw_missing_may_be_null_or_left_out(validator, row):
    del row["Income"]
    row["Job"] = None
    columns = validator.join([validator.validate([row])])
    assert columns.valid.tolist() == [[False, True, True]]
    assert columns.textual == ([None],)


def test_a_category_that_training_never_saw_is_allowed_and_told(validator, row):
    rows = validator.validate([row, {**row, "Job": "astronaut"}])
    assert rows.unseen == [(1, "Job")]


def test_rows_of_several_callers_become_columns_in_order(validator, row):
    one = validator.validate([row])
    two = validator.validate([{**row, "Age": 40, "Job": "freelance"}, {**row, "Age": 50, "Owner": False}])
    columns = validator.join([one, two])
    assert columns.numeric.tolist() == [[0.25, 30, 1], [0.25, 40, 1], [0.25, 50, 0]]
    assert columns.textual == (["fixed", "freelance", "fixed"],)


def test_a_model_without_numbers_has_rows_all_the_same():
    validator = RowValidator(FeatureSchema(features=(Feature(name="Job", kind=FeatureKind.TEXT),)))
    columns = validator.join([validator.validate([{"Job": "a"}, {"Job": "b"}])])
    assert len(columns) == 2
    assert columns.textual == (["a", "b"],)


def test_a_thousand_bad_rows_do_not_make_a_thousand_complaints(validator):
    with pytest.raises(InvalidRows) as refused:
        validator.validate([{}] * 1000)
    assert len(refused.value.problems) == PROBLEM_LIMIT


def test_a_long_value_is_shortened_and_a_strange_one_escaped(validator, row):
    with pytest.raises(InvalidRows) as refused:
        validator.validate([{**row, "Age": "é\ud800" + "x" * 10_000}])
    assert len(str(refused.value)) < 200
    assert str(refused.value).isascii()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["Income", "Age", "Owner", "Job"]) | st.text(max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(JSON_VALUES | st.dictionaries(NAMES, JSON_VALUES, max_size=5), min_size=1, max_size=4))
def test_whatever_comes_is_either_taken_or_explained(validator, rows):
    try:
        problems, taken = (), validator.validate(rows)
    except InvalidRows as refused:
        problems, taken = refused.problems, None
    assert bool(problems) != bool(taken)
    assert all(problem.where.startswith("features[") for problem in problems)
    assert taken is None or len(validator.join([taken])) == len(rows)


@pytest.mark.parametrize(
    "value",
    [pytest.param(4711, id="not-a-text"), pytest.param(None, id="null"), pytest.param(["4711"], id="a-list")],
)
def test_no_refusal_shows_personal_data(value):
    schema = FeatureSchema(
        features=(Feature(name="Name", kind=FeatureKind.CATEGORY, categories=("Ann", "Bob"), pii=True),)
    )
    with pytest.raises(InvalidRows) as refused:
        RowValidator(schema).validate([{"Name": value}])
    assert "Name" in str(refused.value)
    assert not any(secret in str(refused.value) for secret in ("4711", "Ann", "Bob"))
