"""Whole columns against a feature schema: the rules of ``gateway.row_validation``, thousands of rows at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from deployments.batch.errors import InvalidBatchJob
from deployments.batch.typed_rows import TypedRows
from deployments.contracts.errors import FieldProblem, InvalidRows
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.wire import Columns, Flags, Floats
from deployments.gateway.row_validation import RowValidator


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a row is not scored."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class CheckedRows:
    """Rows as the model takes them.

    Attributes:
        columns: All rows; those that do not fit hold anything.
        fits: Which rows fit the schema.
    """

    columns: Columns
    fits: Flags


class RowCheck:
    """Checks rows against the schema of one version."""

    def __init__(self, schema: FeatureSchema) -> None:
        self.schema = schema
        self._validator = RowValidator(schema)

    def check(self, rows: TypedRows) -> CheckedRows:
        """Return rows as columns, and which of them fit."""
        table = rows.table
        count = table.num_rows
        fits = np.ones(count, dtype=np.bool_)
        fits[list(rows.unreadable)] = False
        numeric = np.full((count, len(self.schema.numeric)), np.nan)
        for position, feature in enumerate(self.schema.numeric):
            numeric[:, position] = values = _numbers(table, feature)
            fits &= ~np.isinf(values)
        valid: NDArray[np.bool_] = ~np.isnan(numeric)
        for position, feature in enumerate(self.schema.numeric):
            if not feature.nullable:
                fits &= valid[:, position]
        textual = []
        for feature in self.schema.textual:
            column = _column(table, feature)
            if not feature.nullable and column.null_count:
                fits &= column.is_valid().to_numpy(zero_copy_only=False)
            textual.append(_texts(column))
        return CheckedRows(Columns(np.where(valid, numeric, 0.0), valid, tuple(textual)), fits)

    def reasons(self, rows: TypedRows, positions: Sequence[int]) -> Iterator[tuple[int, list[Reason]]]:
        """Why rows do not fit, in the words of the online check."""
        names = [feature.name for feature in self.schema.features if feature.name in rows.table.schema.names]
        chosen = rows.table.select(names).take(pa.array(positions, pa.int64())).to_pylist()
        for position, values in zip(positions, chosen, strict=True):
            row = {name: _plain(value) for name, value in values.items()}
            row.update(rows.unreadable.get(position, {}))
            yield position, self._why(row)

    def _why(self, row: dict[str, Any]) -> list[Reason]:
        try:
            self._validator.validate([row], single=True)
        except InvalidRows as error:
            return [Reason(problem.where.removeprefix("features."), problem.message) for problem in error.problems]
        return [Reason("", "does not fit another version's schema")]


def check_layout(layout: pa.Schema, schema: FeatureSchema, file: str, as_text: bool) -> None:
    """Whether a file's columns can hold the features at all.

    Args:
        layout: Columns of the file.
        schema: Of a version.
        file: For errors.
        as_text: The file knows texts alone (CSV): types are decided row by row.

    Raises:
        InvalidBatchJob: A feature that must not be null has no column, or a column is of another kind.
    """
    problems = []
    for feature in schema.features:
        position = layout.get_field_index(feature.name)
        if position < 0:
            if not feature.nullable:
                columns = ", ".join(layout.names[:20])
                problems.append(
                    FieldProblem(f"{file}: column {feature.name}", f"is missing; the file has {columns}")
                )
        elif not as_text and not _fits_kind(layout.field(position).type, feature.kind):
            found, wanted = layout.field(position).type, _WANTED[feature.kind]
            problems.append(FieldProblem(f"{file}: column {feature.name}", f"is {found} and must be {wanted}"))
    if problems:
        raise InvalidBatchJob(tuple(problems))


_WANTED = {
    FeatureKind.NUMBER: "numbers",
    FeatureKind.BOOLEAN: "true or false",
    FeatureKind.CATEGORY: "texts",
    FeatureKind.TEXT: "texts",
}


def _fits_kind(found: pa.DataType, kind: FeatureKind) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_null(found):
        return True
    if kind is FeatureKind.NUMBER:
        return bool(pa.types.is_integer(found) or pa.types.is_floating(found) or pa.types.is_decimal(found))
    if kind is FeatureKind.BOOLEAN:
        return bool(pa.types.is_boolean(found))
    return bool(pa.types.is_string(found) or pa.types.is_large_string(found))


def _numbers(table: pa.Table, feature: Feature) -> Floats:
    """float64 with NaN for null."""
    position = table.schema.get_field_index(feature.name)
    if position < 0:
        return np.full(table.num_rows, np.nan)
    column = table.column(position).combine_chunks()
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    # Integers over 2**53 lose digits here as they do in a request, whose numbers travel as float64.
    floats = pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan)
    return np.asarray(floats.to_numpy(zero_copy_only=False))


def _column(table: pa.Table, feature: Feature) -> pa.Array:
    position = table.schema.get_field_index(feature.name)
    if position < 0:
        return pa.nulls(table.num_rows, pa.string())
    column = table.column(position).combine_chunks()
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _texts(column: pa.StringArray) -> list[str | None]:
    """Texts and Nones; each text that comes again and again is one object, which is made once."""
    encoded = column.dictionary_encode()
    known = np.array([*encoded.dictionary.to_pylist(), None], dtype=object)
    places = pc.fill_null(encoded.indices, len(encoded.dictionary)).to_numpy()
    found: list[str | None] = known[places].tolist()
    return found


def _plain(value: Any) -> Any:
    """A value as a request would hold it: a column's NaN is its null."""
    if isinstance(value, float) and math.isnan(value):
        return None
    return value if isinstance(value, bool | int | float | str | None) else float(value)
