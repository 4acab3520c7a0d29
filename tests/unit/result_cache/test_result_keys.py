"""Two rows have one key exactly if the model would see the same."""

import pytest

from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.gateway.row_validation import RowValidator
from deployments.result_cache.keys import row_keys

VALIDATOR = RowValidator(
    FeatureSchema(
        features=(
            Feature(name="Income", kind=FeatureKind.NUMBER, nullable=True),
            Feature(name="Owner", kind=FeatureKind.BOOLEAN, nullable=True),
            Feature(name="Job", kind=FeatureKind.TEXT, nullable=True),
            Feature(name="Home", kind=FeatureKind.TEXT, nullable=True),
        )
    )
)
ROW = {"Income": 30, "Owner": True, "Job": "fixed", "Home": "rent"}


def key(row, digest="d1", **more):
    return row_keys(digest, VALIDATOR.validate([row]), **more)[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"Income": 30}, {"Income": 30.0}, id="integer-and-real"),
        pytest.param({"Income": None}, {}, id="null-and-left-out"),
        pytest.param({"Job": None}, {}, id="null-text-and-left-out"),
        pytest.param({"Job": "a", "Home": "b"}, {"Home": "b", "Job": "a"}, id="order-of-fields"),
    ],
)
def test_rows_that_are_the_same_to_the_model_have_one_key(one, other):
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"Income": 30}, {"Income": 30.000000000000004}, id="the-next-float"),
        pytest.param({"Income": None}, {"Income": 0}, id="null-and-zero"),
        pytest.param({"Owner": None}, {"Owner": False}, id="null-and-false"),
        pytest.param({"Job": None}, {"Job": "null"}, id="null-and-the-text-null"),
        pytest.param({"Job": ""}, {"Job": None}, id="empty-and-null"),
        pytest.param({"Job": "ab", "Home": "c"}, {"Job": "a", "Home": "bc"}, id="text-across-a-border"),
        pytest.param({"Job": 'a","b', "Home": ""}, {"Job": "a", "Home": "b"}, id="quotes-in-a-text"),
        pytest.param({"Income": 1}, {"Owner": True}, id="same-value-of-another-feature"),
    ],
)
def test_rows_that_differ_to_the_model_have_two_keys(one, other):
    assert key(one) != key(other)


def test_another_package_or_another_kind_of_result_is_another_key():
    assert len({key(ROW), key(ROW, "d2"), key(ROW, wanted="contributions")}) == 3


def test_a_row_has_the_key_in_a_list_that_it_has_alone():
    rows = [ROW, {**ROW, "Income": 31}, {"Job": None}]
    assert row_keys("d1", VALIDATOR.validate(rows)) == [key(row) for row in rows]
