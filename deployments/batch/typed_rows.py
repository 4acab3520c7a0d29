"""Texts of a CSV file as the numbers, booleans and texts of the feature schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from deployments.contracts.feature_schema import Feature, FeatureKind

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_TRUE, _FALSE = pa.array(["true", "t", "1", "yes"]), pa.array(["false", "f", "0", "no"])


@dataclass(frozen=True, slots=True)
class TypedRows:
    """A table whose feature columns have their kinds' types.

    Attributes:
        table: The rows; a text that is none of its kind is null here.
        unreadable: Those texts, by row and feature: these rows do not fit.
    """

    table: pa.Table
    unreadable: dict[int, dict[str, str]] = field(default_factory=dict)


def typed(table: pa.Table, features: Sequence[Feature]) -> TypedRows:
    """Give feature columns of texts their types; every other column stays."""
    unreadable: dict[int, dict[str, str]] = {}
    for feature in features:
        position = table.schema.get_field_index(feature.name)
        if (
            position < 0
            or not feature.kind.is_numeric
            or not pa.types.is_string(table.schema.field(position).type)
        ):
            continue
        texts = pc.utf8_trim_whitespace(table.column(position).combine_chunks())
        values = _booleans(texts) if feature.kind is FeatureKind.BOOLEAN else _numbers(texts)
        lost = pc.and_(values.is_null(), texts.is_valid())
        for row in np.flatnonzero(lost.to_numpy(zero_copy_only=False)).tolist():
            unreadable.setdefault(row, {})[feature.name] = texts[row].as_py()
        table = table.set_column(position, feature.name, values)
    return TypedRows(table, unreadable)


def _numbers(texts: pa.StringArray) -> pa.Array:
    readable = pc.match_substring_regex(texts, _NUMBER)
    plain = pc.if_else(readable, texts, pa.scalar(None, pa.string()))
    return pc.cast(plain, pa.float64())


def _booleans(texts: pa.StringArray) -> pa.Array:
    lower = pc.utf8_lower(texts)
    found = pc.if_else(pc.is_in(lower, _FALSE), False, pa.scalar(None, pa.bool_()))
    return pc.if_else(pc.fill_null(pc.is_in(lower, _TRUE), False), True, found)
