"""Rows of an input before it is scored: what a caller with a quota of rows is charged for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from pyarrow import fs

from deployments.batch import file_format, parquet_footer, places
from deployments.batch.errors import InputUnreadable, InvalidBatchJob
from deployments.batch.file_format import FileFormat
from deployments.contracts.errors import FieldProblem
from deployments.storage.location import Location

MOST_FILES = 1000
_READERS = 8


def count(uri: str) -> int:
    """Rows of every file of an input, by the footers of parquet.

    Args:
        uri: Of the input.

    Raises:
        InvalidBatchJob: They are not known before the input is read: it has another format, a damaged file, or
            very many files.
        NothingToScore: There is nothing, or it cannot be read.
    """
    root, infos = places.input_files(uri)
    if len(infos) > MOST_FILES:
        raise _not_known(f"{root.shown} has {len(infos)} files, of at most {MOST_FILES} whose rows are counted")
    for info in infos:
        if file_format.of_file(info.path) is not FileFormat.PARQUET:
            raise _not_known(f"{places.relative(root, info.path)} does not tell its rows before it is read")
    with ThreadPoolExecutor(_READERS) as readers:
        return sum(readers.map(lambda info: _rows(root, info), infos))


def _rows(root: Location, info: fs.FileInfo) -> int:
    if info.size == 0:
        return 0
    try:
        return sum(parquet_footer.group_rows(root, places.relative(root, info.path)))
    except InputUnreadable as error:
        raise _not_known(f"{error.file}: {error.reason.partition(chr(10))[0]}") from error


def _not_known(reason: str) -> InvalidBatchJob:
    problem = f"{reason}; a caller with a quota of rows sends parquet, whose rows are charged when it is sent"
    return InvalidBatchJob((FieldProblem("input_file", problem),))
