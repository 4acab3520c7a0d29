"""Rows of a source as Ray Data reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from training.config import TrainingConfig
from training.errors import SourceUnavailable
from training.sources.location import resolve
from training.sources.parquet import ParquetFile

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_NAMED = re.compile(r"[\w.]+(Error|Exception|Invalid)\b.*: ")


def read(config: TrainingConfig) -> Any:
    """Return a Ray data set of a document's rows; nothing is read yet but the files' footers.

    Raises:
        SourceUnavailable: There is nothing to read.
    """
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    filesystem, path = resolve(_path(config))
    try:
        return ray.data.read_parquet(path, filesystem=filesystem)
    except Exception as error:  # of Arrow, of the file system, or of Ray around them
        raise _unreadable(config, error) from error


def count(rows: Any, config: TrainingConfig) -> int:
    """Return how many rows there are; Parquet's footers say so.

    Raises:
        SourceUnavailable: They cannot be read.
    """
    try:
        return int(rows.count())
    except Exception as error:
        raise _unreadable(config, error) from error


def iterate(rows: Iterable[Any], config: TrainingConfig) -> Iterator[Any]:
    """Yield what comes out of a data set.

    Raises:
        SourceUnavailable: Reading failed on the way.
    """
    try:
        yield from rows
    except Exception as error:
        raise _unreadable(config, error) from error


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Return a lot of rows with the types that reading the whole file would give them."""
    import pyarrow as pa

    plain = [pa.field(one.name, _undictionaried(one.type)) for one in table.schema]
    frame: pd.DataFrame = table.cast(pa.schema(plain)).to_pandas()
    return frame


def _undictionaried(kind: Any) -> Any:
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _path(config: TrainingConfig) -> str:
    assert isinstance(config.source, ParquetFile)  # a document that says otherwise is not read
    return config.source.path


def _unreadable(config: TrainingConfig, error: Exception) -> SourceUnavailable:
    """Ray's text is a page; the line that names an error is what a person needs."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    told = [line for line in lines if _NAMED.match(line)] or lines
    return SourceUnavailable(_path(config), told[-1])
