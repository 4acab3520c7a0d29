"""Tables of many segments as one: old ones lack columns that came later, and a feature may change its type."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc


def joined(tables: Sequence[pa.Table], columns: pa.Schema) -> pa.Table:
    """All rows under all columns; a column that a table lacks is null there.

    Where types differ, numbers become float64, and anything else becomes text, numbers among it included.

    Args:
        tables: In the order of the result's rows.
        columns: Those that the result has in any case, first.
    """
    schema = _united([columns, *(table.schema for table in tables)])
    return pa.concat_tables([_conformed(table, schema) for table in tables] or [schema.empty_table()])


def _united(schemas: Sequence[pa.Schema]) -> pa.Schema:
    fields: dict[str, list[pa.Field]] = {}
    for schema in schemas:
        for field in schema:
            fields.setdefault(field.name, []).append(field)
    return pa.schema([_common(kinds) for kinds in fields.values()])


def _common(fields: Sequence[pa.Field]) -> pa.Field:
    first = fields[0]
    if all(field.type == first.type for field in fields):
        alike = all(field.metadata == first.metadata for field in fields)
        return first if alike else first.remove_metadata()
    numeric = all(pa.types.is_integer(field.type) or pa.types.is_floating(field.type) for field in fields)
    return pa.field(first.name, pa.float64() if numeric else pa.string())


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        pc.cast(table[field.name], field.type)
        if field.name in table.schema.names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
