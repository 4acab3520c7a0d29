import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from deployments.runtime import columns as columnar
from training import feature_schema


@pytest.fixture
def schema(rows):
    return feature_schema.infer(rows)


def test_a_frame_survives_the_wire(rows, schema):
    back = columnar.to_frame(columnar.from_frame(rows, schema), schema, rows.dtypes.to_dict())
    pd.testing.assert_frame_equal(back, rows)


def test_arrow_and_pandas_give_the_same_columns(rows, schema):
    from_pandas = columnar.from_frame(rows, schema)
    from_arrow = columnar.from_table(pa.Table.from_pandas(rows), schema)
    np.testing.assert_array_equal(from_arrow.numeric, from_pandas.numeric)
    np.testing.assert_array_equal(from_arrow.valid, from_pandas.valid)
    assert from_arrow.textual == from_pandas.textual


@pytest.mark.parametrize("value", [pytest.param(40.5, id="fraction"), pytest.param(1e30, id="beyond-int64")])
def test_a_number_that_no_integer_can_hold_is_not_cut(rows, schema, value):
    columns = columnar.from_frame(rows.astype({"age": float}).assign(age=value), schema)
    assert columnar.to_frame(columns, schema, rows.dtypes.to_dict())["age"].iloc[0] == value


def test_a_null_turns_whole_numbers_into_reals(rows, schema):
    columns = columnar.from_frame(rows.assign(age=np.nan), schema)
    assert columnar.to_frame(columns, schema, rows.dtypes.to_dict())["age"].isna().all()


def test_pandas_categories_come_back_with_their_codes():
    frame = pd.DataFrame({"size": pd.Categorical(["L", "S", None], categories=["S", "M", "L"])})
    schema = feature_schema.infer(frame)
    back = columnar.to_frame(columnar.from_frame(frame, schema), schema, frame.dtypes.to_dict())
    pd.testing.assert_frame_equal(back, frame)


def test_rows_are_taken_by_position(rows, schema):
    taken = columnar.take(columnar.from_frame(rows, schema), [3, 1])
    expected = columnar.from_frame(rows.iloc[[3, 1]], schema)
    np.testing.assert_array_equal(taken.numeric, expected.numeric)
    assert taken.textual == expected.textual
