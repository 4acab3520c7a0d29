"""Encoders of categories as tables: what each category adds to an encoded row is asked of the encoder, once."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.runtime.arrays.step import Step

UNKNOWN = "\ue000no such category"
"""Of Unicode's private use area: no data set writes it."""
MOST_CATEGORIES = 20_000
AT_ONCE = 256
"""Categories whose dense encoding is held at the same time."""

Changes = tuple[tuple[int, float], ...]
"""Columns in which a row with a category differs from one that has unknown categories only, and their values."""


def of_encoder(encoder: Any) -> Step | None:
    """Return what a fitted one-hot, ordinal or target encoder of texts does, or None if a table cannot hold it.

    Each of them encodes a column without regard to the others.
    """
    categories = [column.tolist() for column in encoder.categories_]
    texts_only = all(isinstance(category, str) for column in categories for category in column)
    if not texts_only or sum(map(len, categories)) > MOST_CATEGORIES:
        return None
    try:
        unknown = _encoded(encoder, [[UNKNOWN] * len(categories)])[0]
        tables = [_table(encoder, column, known, unknown) for column, known in enumerate(categories)]
    except ValueError:  # it refuses unknown categories, or gives a sparse matrix
        return None

    def step(texts: NDArray[Any]) -> NDArray[Any]:
        encoded = np.tile(unknown, (len(texts), 1))
        for row, values in enumerate(texts.tolist()):
            for table, value in zip(tables, values, strict=True):
                for column, code in table.get(value, ()):
                    encoded[row, column] = code
        return encoded

    return step


def _table(encoder: Any, column: int, known: list[str], unknown: NDArray[np.float64]) -> dict[str, Changes]:
    width = len(encoder.categories_)
    table: dict[str, Changes] = {}
    for first in range(0, len(known), AT_ONCE):
        some = known[first : first + AT_ONCE]
        rows = [[UNKNOWN] * column + [category] + [UNKNOWN] * (width - column - 1) for category in some]
        for category, encoded in zip(some, _encoded(encoder, rows), strict=True):
            changed = np.flatnonzero(encoded != unknown)
            table[category] = tuple(zip(changed.tolist(), encoded[changed].tolist(), strict=True))
    return table


def _encoded(encoder: Any, rows: list[list[str]]) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # unknown categories, and an array without names: both are meant
        return np.asarray(encoder.transform(np.array(rows, dtype=object)), dtype=np.float64)
