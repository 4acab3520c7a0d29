"""What rows hold, whatever a cell is: their name by content, and which of them stand twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd


def fingerprint(rows: pd.DataFrame) -> str:
    """SHA-256 (hex) of a frame's column names, dtypes and values, in order."""
    content = hashlib.sha256(repr([(name, str(dtype)) for name, dtype in rows.dtypes.items()]).encode())
    content.update(pd.util.hash_pandas_object(_flat(rows), index=False).to_numpy().tobytes())
    return content.hexdigest()


def duplicated(
    rows: pd.DataFrame, names: Sequence[Any] | None = None, keep: Literal["first", False] = "first"
) -> pd.Series[bool]:
    """Whether each row stands twice.

    Args:
        rows: The rows.
        names: Columns that are compared; None is all of them.
        keep: ``first`` does not count the first of equal rows.
    """
    compared = rows if names is None else rows[list(names)]
    return _flat(compared).duplicated(keep=keep)


def holds_nested(column: pd.Series[Any]) -> bool:
    """Whether a cell is a list, an array or a mapping: Parquet has such columns, and a request has none."""
    if not pd.api.types.infer_dtype(column, skipna=True).startswith("mixed"):
        return False
    return bool(column.map(lambda value: isinstance(value, list | tuple | dict | set | np.ndarray)).any())


def _flat(rows: pd.DataFrame) -> pd.DataFrame:
    """Nested cells as texts: pandas neither hashes nor compares them."""
    nested = {name: column.map(_text) for name, column in rows.items() if holds_nested(column)}
    return pd.DataFrame({name: nested.get(name, column) for name, column in rows.items()}) if nested else rows


def _text(value: Any) -> str:
    return repr(_plain(value))


def _plain(value: Any) -> Any:
    """Without arrays, whose text leaves out what is in their middle."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return {name: _plain(one) for name, one in value.items()} if isinstance(value, dict) else value
