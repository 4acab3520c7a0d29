"""Data frames to the wire's columns and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.wire import Columns

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def from_frame(frame: pd.DataFrame, schema: FeatureSchema) -> Columns:
    """Return the rows of a data frame as columns; what is missing (None, NaN, NaT) is null.

    Raises:
        KeyError: The frame lacks a feature.
    """
    numeric = np.full((len(frame), len(schema.numeric)), np.nan)
    for position, feature in enumerate(schema.numeric):
        numeric[:, position] = frame[feature.name].to_numpy(dtype=np.float64, na_value=np.nan)
    valid = ~np.isnan(numeric)
    textual = tuple(_texts(frame[feature.name]) for feature in schema.textual)
    return Columns(np.where(valid, numeric, 0.0), valid, textual)


def from_table(table: pa.Table, schema: FeatureSchema) -> Columns:
    """Return the rows of an Arrow table as columns; what is missing (null, NaN) is null.

    Goes value by value, for a sample: Arrow's own way to numpy imports pandas, which a pool can do without.

    Raises:
        KeyError: The table lacks a feature.
    """
    numeric = np.full((table.num_rows, len(schema.numeric)), np.nan)
    for position, feature in enumerate(schema.numeric):
        numeric[:, position] = np.array(table.column(feature.name).cast("float64").to_pylist(), dtype=np.float64)
    valid = ~np.isnan(numeric)
    textual = tuple(table.column(feature.name).cast("string").to_pylist() for feature in schema.textual)
    return Columns(np.where(valid, numeric, 0.0), valid, textual)


def to_frame(columns: Columns, schema: FeatureSchema, dtypes: Mapping[str, Any]) -> pd.DataFrame:
    """Return columns as a data frame like the one that the model was trained on.

    A column of whole numbers that now holds a null or a fraction is float64, as pandas has it. A null text is NaN
    too, which is what pandas reads from a file: transformers such as ``SimpleImputer`` do not take None for
    missing.

    Args:
        columns: The rows.
        schema: Their features; the frame has them in this order.
        dtypes: pandas dtype of each feature in training.
    """
    import pandas as pd

    series: dict[str, pd.Series[Any]] = {}
    for position, feature in enumerate(schema.numeric):
        valid = columns.valid[:, position]
        values = pd.Series(np.where(valid, columns.numeric[:, position], np.nan))
        dtype = dtypes[feature.name]
        series[feature.name] = values.astype(dtype) if _fits(values, dtype) else values
    for feature, texts in zip(schema.textual, columns.textual, strict=True):
        values = pd.Series([np.nan if text is None else text for text in texts], dtype=object)
        series[feature.name] = values.astype(dtypes[feature.name])
    return pd.DataFrame({feature.name: series[feature.name] for feature in schema.features})


def take(columns: Columns, rows: slice | list[int]) -> Columns:
    """Return some of the rows."""
    positions = range(len(columns))[rows] if isinstance(rows, slice) else rows
    return Columns(
        columns.numeric[rows],
        columns.valid[rows],
        tuple([column[position] for position in positions] for column in columns.textual),
    )


def _fits(values: pd.Series[Any], dtype: Any) -> bool:
    """Whether numbers can have a dtype without losing a null or what comes after the point."""
    if not isinstance(dtype, np.dtype) or dtype.kind == "f":
        return True
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return bool((values.mod(1).eq(0) & values.between(limits.min, limits.max, inclusive="left")).all())
    return not values.isna().any()


def _texts(series: pd.Series[Any]) -> list[str | None]:
    missing = series.isna().to_numpy()
    return [None if gone else str(value) for value, gone in zip(series.tolist(), missing, strict=True)]
