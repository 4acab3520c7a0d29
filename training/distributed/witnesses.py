"""Rows without which a sample would tell less than all rows do.

A schema is read off rows: smallest and largest number, whether there are nulls, every category. A sample misses
some of that; with the rows that show it, it misses nothing. What is found in two tables together is among what is
found in each, so tables can be looked at one by one, anywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.data import MOST_CLASSES
from training.feature_schema import MOST_CATEGORIES


def select(rows: pd.DataFrame, features: list[str], target: str, draw: str) -> pd.DataFrame:
    """Return the rows that show what their columns hold.

    Args:
        rows: Some rows.
        features: Columns whose schema is read off.
        target: Column whose values tell the task; all labels are shown.
        draw: Column of numbers that decide between rows that show the same, so that the order of rows does not.
    """
    ordered = rows.sort_values(draw, kind="stable")
    shown = [_of_feature(ordered[name]) for name in features]
    positions = np.unique(np.concatenate([*shown, _first_of_each(ordered[target], MOST_CLASSES + 1)]))
    return ordered.iloc[positions].reset_index(drop=True)


def _of_feature(column: pd.Series[Any]) -> NDArray[np.intp]:
    """Positions of the rows that show what a column holds."""
    first_null = np.flatnonzero(column.isna())[:1]
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        # One more than a category may have, so that a column of free text is still seen to be one.
        return np.concatenate([first_null, _first_of_each(column, MOST_CATEGORIES + 1)])
    present = np.flatnonzero(column.notna())
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)[present]
    ends = present[[int(numbers.argmin()), int(numbers.argmax())]] if len(present) else present
    return np.concatenate([first_null, ends])


def _first_of_each(column: pd.Series[Any], most: int) -> NDArray[np.intp]:
    return np.flatnonzero(~column.duplicated() & column.notna())[:most]
