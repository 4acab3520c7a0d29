"""Rows of input files, a bounded number at a time."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from deployments.batch.errors import InputUnreadable
from deployments.batch.file_format import Family, FileFormat
from deployments.batch.units import Slice
from deployments.contracts.feature_schema import Feature, FeatureKind
from deployments.storage.location import Location

ROWS_AT_A_TIME = 16_384
LINES_FOR_TYPES = 1000
_CSV_BLOCK = 4 * 1024**2
_TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


@dataclass(frozen=True, slots=True)
class Malformed:
    """What stands in a file where a row should, and is none.

    Attributes:
        row: Position in the file, from 0.
        text: As it stands there, shortened.
        reason: What is wrong with it.
    """

    row: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Consecutive rows of one file.

    Attributes:
        file: The file.
        rows: Position of each in the file, from 0: of JSON lines its line, of CSV its record behind the first,
            where blank lines are none. What is malformed has a position too.
        table: The rows.
        malformed: What could not be made a row.
    """

    file: str
    rows: NDArray[np.int64]
    table: pa.Table
    malformed: tuple[Malformed, ...] = field(default=())


def layout_of(root: Location, path: str, form: FileFormat, features: Sequence[Feature]) -> pa.Schema:
    """The columns of a file: parquet's own, CSV's as texts, those of the first JSON lines.

    Raises:
        InputUnreadable: It is not of its format.
    """
    try:
        if form.family is Family.PARQUET:
            return pq.read_schema(root.full(path), filesystem=root.filesystem)
        if form.family is Family.CSV:
            return _csv_layout(root, path, form)
        return _json_layout(root, path, form, features)
    except (OSError, pa.ArrowException, EOFError, ValueError) as error:
        raise InputUnreadable(path, _first_line(error)) from error


def blocks(root: Location, path: str, part: Slice, form: FileFormat, layout: pa.Schema) -> Iterator[RowBlock]:
    """The rows of a slice, in order, at most ``ROWS_AT_A_TIME`` at a time.

    Args:
        root: Of the input.
        path: Of the file, relative to the root.
        part: Which of its rows.
        form: How they are written.
        layout: Columns of the file, from ``layout_of``.

    Raises:
        InputUnreadable: The file is damaged, or not of its format.
    """
    read = {Family.PARQUET: _parquet, Family.CSV: _csv, Family.JSON_LINES: _json_lines}[form.family]
    try:
        yield from read(root, path, part, form, layout)
    except (OSError, pa.ArrowException, EOFError, ValueError) as error:
        raise InputUnreadable(path, _first_line(error)) from error


def _parquet(root: Location, path: str, part: Slice, form: FileFormat, layout: pa.Schema) -> Iterator[RowBlock]:
    with root.filesystem.open_input_file(root.full(path)) as stream:
        file = pq.ParquetFile(stream, pre_buffer=False)
        groups = range(*part.groups) if part.groups else range(file.num_row_groups)
        row = part.first_row
        for batch in file.iter_batches(ROWS_AT_A_TIME, row_groups=list(groups), use_threads=False):
            yield RowBlock(path, np.arange(row, row + batch.num_rows), pa.Table.from_batches([batch]))
            row += batch.num_rows


def _csv(root: Location, path: str, part: Slice, form: FileFormat, layout: pa.Schema) -> Iterator[RowBlock]:
    malformed: list[Malformed] = []
    passed_over: list[int] = []

    def take(invalid: pacsv.InvalidRow) -> str:
        reason = f"has {invalid.actual_columns} fields; the first line names {invalid.expected_columns}"
        position = (invalid.number or 2) - 2  # counted from 1, and the first line too
        malformed.append(Malformed(position, invalid.text[:200], reason))
        passed_over.append(position)
        return "skip"

    with _opened(root, path, form) as stream:
        reader = pacsv.open_csv(
            stream,
            read_options=pacsv.ReadOptions(use_threads=False, block_size=_CSV_BLOCK),
            parse_options=pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=take),
            convert_options=pacsv.ConvertOptions(
                column_types={name: pa.string() for name in layout.names}, strings_can_be_null=True
            ),
        )
        read = 0
        for batch in reader:
            for begin in range(0, batch.num_rows, ROWS_AT_A_TIME):
                table = pa.Table.from_batches([batch.slice(begin, ROWS_AT_A_TIME)])
                rows = _positions(np.arange(read, read + table.num_rows), passed_over)
                yield RowBlock(path, rows, table, tuple(malformed))
                malformed.clear()
                read += table.num_rows
        if malformed:
            yield RowBlock(path, np.arange(0), layout.empty_table(), tuple(malformed))


def _positions(ordinals: NDArray[np.int64], passed_over: Sequence[int]) -> NDArray[np.int64]:
    """Where the rows of these ordinals stand in a file of which some rows were passed over.

    Args:
        ordinals: Of rows among those that were not passed over, ascending.
        passed_over: Positions in the file, ascending; the reader may be ahead of the rows.
    """
    kept_before = np.asarray(passed_over, np.int64) - np.arange(len(passed_over))
    return ordinals + np.searchsorted(kept_before, ordinals, side="right")


def _json_lines(root: Location, path: str, part: Slice, form: FileFormat, layout: pa.Schema) -> Iterator[RowBlock]:
    with _opened(root, path, form) as stream:
        number = 0
        while lines := list(islice(stream, ROWS_AT_A_TIME)):
            rows: dict[int, dict[str, Any]] = {}
            malformed: list[Malformed] = []
            for position, line in enumerate(lines, number):
                if not line.strip():
                    continue
                row, reason = _row_of(line, layout)
                if reason:
                    malformed.append(Malformed(position, line[:200].decode(errors="replace").strip(), reason))
                else:
                    rows[position] = row
            table = pa.Table.from_pylist(list(rows.values()), layout)
            yield RowBlock(path, np.array(list(rows), np.int64), table, tuple(malformed))
            number += len(lines)


def _row_of(line: bytes, layout: pa.Schema) -> tuple[dict[str, Any], str]:
    """A line's object, or why it is no row of this layout."""
    try:
        row = orjson.loads(line)
    except ValueError as error:
        return {}, f"is not JSON: {_first_line(error)}"
    if type(row) is not dict:
        return {}, f"must be an object, not {type(row).__name__}"
    for name, value in row.items():
        position = layout.get_field_index(name)
        if position < 0:
            return {}, f"{name[:40]}: no such field in the first {LINES_FOR_TYPES} lines"
        kind = layout.field(position).type
        if value is None or (pa.types.is_string(kind) and isinstance(value, str)):
            continue
        if is_json(layout.field(position)):
            row[name] = orjson.dumps(value).decode()
        elif not _holds(kind, value):
            return {}, f"{name}: must be {_NAMES[kind]}, not {type(value).__name__}"
    return row, ""


def is_json(field: pa.Field) -> bool:
    """Whether a column's texts are JSON, because its values are of several types or nested."""
    return pa.types.is_string(field.type) and bool((field.metadata or {}).get(_MIXED))


_MIXED = b"raygate.mixed"
"""Field metadata of a column whose values are of several types or nested: they become texts of JSON."""
_NAMES = {
    pa.bool_(): "true or false",
    pa.int64(): "a whole number",
    pa.float64(): "a number",
    pa.string(): "a text",
}


def _holds(kind: pa.DataType, value: Any) -> bool:
    if isinstance(value, bool):
        return bool(pa.types.is_boolean(kind))
    if isinstance(value, int):
        return bool(pa.types.is_floating(kind)) or (bool(pa.types.is_integer(kind)) and abs(value) < 2**63)
    return isinstance(value, float) and bool(pa.types.is_floating(kind))


def _json_layout(root: Location, path: str, form: FileFormat, features: Sequence[Feature]) -> pa.Schema:
    """Features by their kinds, other fields by what the first lines hold."""
    kinds: dict[str, set[type]] = {}
    with _opened(root, path, form) as stream:
        for line in islice(stream, LINES_FOR_TYPES):
            try:
                row = orjson.loads(line)
            except ValueError:
                continue  # rejected when it is read
            for name, value in row.items() if type(row) is dict else ():
                kinds.setdefault(name, set()).update([] if value is None else [type(value)])
    known = {feature.name: feature.kind for feature in features}
    return pa.schema([_json_field(name, found, known.get(name)) for name, found in kinds.items()])


def _json_field(name: str, found: set[type], kind: FeatureKind | None) -> pa.Field:
    if kind is not None:
        by_kind = {FeatureKind.NUMBER: pa.float64(), FeatureKind.BOOLEAN: pa.bool_()}
        return pa.field(name, by_kind.get(kind, pa.string()))
    if found == {int, float}:
        return pa.field(name, pa.float64())
    if len(found) == 1 and (only := next(iter(found))) in _TYPES:
        return pa.field(name, _TYPES[only])
    return pa.field(name, pa.string(), metadata={_MIXED: b"1"} if found else None)


def _csv_layout(root: Location, path: str, form: FileFormat) -> pa.Schema:
    with _opened(root, path, form) as stream:
        names = pacsv.open_csv(
            stream,
            read_options=pacsv.ReadOptions(use_threads=False, block_size=_CSV_BLOCK),
            parse_options=pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=lambda row: "skip"),
        ).schema.names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"columns named twice: {', '.join(twice)}")
    return pa.schema([pa.field(name, pa.string()) for name in names])


def _opened(root: Location, path: str, form: FileFormat) -> IO[bytes]:
    stream = root.filesystem.open_input_stream(root.full(path), compression=None)
    buffered = io.BufferedReader(stream)
    return gzip.GzipFile(fileobj=buffered) if form.is_gzip else buffered  # type: ignore[return-value]


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
