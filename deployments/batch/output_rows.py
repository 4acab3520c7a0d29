"""Files of the output: each is there whole under its name, or not at all."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol
from urllib.parse import quote

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from deployments.batch import places
from deployments.batch.errors import InvalidBatchJob
from deployments.batch.file_format import Family, FileFormat
from deployments.batch.scored_rows import ANSWER, EXPLANATION
from deployments.contracts.errors import FieldProblem
from deployments.storage.location import Location

PARTITIONS_A_UNIT = 200
"""Each of them is an open file with a buffer of its own."""
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_GZIP_LEVEL = 6


class RowSink(Protocol):
    """Takes tables of one layout until it is closed."""

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


class UnitOutput:
    """The files of one unit: they appear when the block ends without an error, and then all of them.

    Args:
        output: Root of the output.
        unit: Name of the unit, which names the files.
        form: How rows are written.
        partition_by: Column whose values become folders, or None.
    """

    def __init__(self, output: Location, unit: str, form: FileFormat, partition_by: str | None) -> None:
        self._output, self._unit, self._form, self._partition_by = output, unit, form, partition_by
        self._sinks: dict[str, RowSink] = {}
        self._staged = ExitStack()
        self.rows: dict[str, int] = {}
        """Rows of each file, by its path under the output."""

    def __enter__(self) -> UnitOutput:
        """Begin; nothing is made yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the files and let them appear, or leave no trace of them.

        Raises:
            OutputUnwritable: They could not be written.
        """
        with places.writing(self._output):
            try:
                for sink in self._sinks.values():
                    sink.close()
            except BaseException as failed:
                self._staged.__exit__(type(failed), failed, failed.__traceback__)
                raise
            self._staged.__exit__(kind, error, trace)

    def write(self, table: pa.Table) -> None:
        """Append rows.

        Raises:
            InvalidBatchJob: There is no such column to partition by, or it has too many values.
            OutputUnwritable: They could not be written.
        """
        if table.num_rows == 0:
            return
        if self._partition_by is None:
            self._append("", table)
            return
        if self._partition_by not in table.schema.names:
            columns = ", ".join(table.schema.names)
            raise InvalidBatchJob((FieldProblem("partition_by", f"no column {self._partition_by!r}: {columns}"),))
        values = pc.cast(table.column(self._partition_by), pa.string()).combine_chunks()
        rest = table.drop_columns([self._partition_by])
        for value in values.unique():
            text = NULL_PARTITION if not value.is_valid else quote(value.as_py(), safe="")
            chosen = values.is_null() if not value.is_valid else pc.equal(values, value)
            self._append(f"{self._partition_by}={text}/", rest.filter(chosen))

    def _append(self, folder: str, table: pa.Table) -> None:
        path = f"{folder}part-{self._unit}.{self._form.value}"
        if path not in self._sinks:
            if len(self._sinks) >= PARTITIONS_A_UNIT:
                told = f"{self._partition_by} has more than {PARTITIONS_A_UNIT} values in {self._unit}"
                raise InvalidBatchJob((FieldProblem("partition_by", told),))
            with places.writing(self._output):
                file = self._staged.enter_context(self._output.staged(path))
                self._sinks[path] = _SINKS[self._form.family](file, table.schema, self._form)
            self.rows[path] = 0
        with places.writing(self._output):
            self._sinks[path].write(table)
        self.rows[path] += table.num_rows


class _Parquet:
    def __init__(self, file: Path, layout: pa.Schema, form: FileFormat) -> None:
        self._writer = pq.ParquetWriter(file, layout.remove_metadata(), compression="zstd")
        self._held: list[pa.Table] = []

    def write(self, table: pa.Table) -> None:
        # Row groups of a few blocks: small ones make a large footer, and readers slow.
        self._held.append(table.replace_schema_metadata(None))
        if sum(held.num_rows for held in self._held) >= 131_072:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.concat_tables(self._held))
            self._held.clear()


class _Csv:
    def __init__(self, file: Path, layout: pa.Schema, form: FileFormat) -> None:
        self._stream = _stream(file, form)
        self._nested = [field.name for field in layout if pa.types.is_nested(field.type)]
        self._writer = pacsv.CSVWriter(self._stream, self._flat(layout.empty_table()).schema)

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(self._flat(table))

    def close(self) -> None:
        self._writer.close()
        self._stream.close()

    def _flat(self, table: pa.Table) -> pa.Table:
        """CSV has no nested values: they become JSON."""
        for name in self._nested:
            texts = [None if one is None else orjson.dumps(one, default=str) for one in table[name].to_pylist()]
            column = pa.array(texts, pa.binary()).cast(pa.string())
            table = table.set_column(table.schema.get_field_index(name), name, column)
        return table


class _JsonLines:
    def __init__(self, file: Path, layout: pa.Schema, form: FileFormat) -> None:
        self._stream = _stream(file, form)

    def write(self, table: pa.Table) -> None:
        for row in table.to_pylist():
            for name in (EXPLANATION, ANSWER):
                if row.get(name) is not None:
                    row[name] = orjson.Fragment(row[name])
            self._stream.write(json_line(row))

    def close(self) -> None:
        self._stream.close()


def json_line(row: dict[str, Any]) -> bytes:
    """One row as a line; what JSON does not have (decimals, bytes) is a text."""
    return orjson.dumps(row, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


_SINKS: dict[Family, Callable[[Path, pa.Schema, FileFormat], RowSink]] = {
    Family.PARQUET: _Parquet,
    Family.CSV: _Csv,
    Family.JSON_LINES: _JsonLines,
}


def _stream(file: Path, form: FileFormat) -> IO[bytes]:
    """A file to write; compressed ones hold no time of writing, so that the same rows make the same bytes."""
    if form.is_gzip:
        return gzip.GzipFile(filename="", fileobj=file.open("wb"), mode="wb", compresslevel=_GZIP_LEVEL, mtime=0)  # type: ignore[return-value]
    return file.open("wb")
