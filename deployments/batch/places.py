"""Where a batch reads and writes, as the field of the job that names the place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from pyarrow import fs

from deployments.batch.errors import InputUnreachable, InvalidBatchJob, NothingToScore, OutputUnwritable
from deployments.contracts.errors import FieldProblem
from deployments.storage.errors import InvalidLocation, StorageUnreachable
from deployments.storage.location import Location


def place(uri: str, field: str) -> Location:
    """The place that a URI names; nothing is read or created yet.

    Args:
        uri: See ``Location.of``: a path, or ``s3://bucket/prefix`` with an optional endpoint and region.
        field: Of the job, for errors.

    Raises:
        InvalidBatchJob: It names none, or holds credentials.
    """
    try:
        return Location.of(uri)
    except InvalidLocation as error:
        raise InvalidBatchJob((FieldProblem(field, f"{error.location}: {error.expected}"),)) from error


def input_root(uri: str) -> Location:
    """Where the paths of an input's files begin: the folder or prefix, or the folder of the one file.

    Raises:
        InvalidBatchJob: The URI names no place.
        NothingToScore: There is nothing.
        InputUnreachable: It cannot be read.
    """
    root = place(uri, "input")
    try:
        found = root.filesystem.get_file_info(root.root)
    except OSError as error:
        raise InputUnreachable(root.shown, f"cannot be read: {error}") from error
    if found.type == fs.FileType.NotFound:
        raise NothingToScore(root.shown, "there is no such file, folder or prefix")
    if found.type == fs.FileType.File:
        return Location(root.filesystem, root.root.rpartition("/")[0], root.shown.rpartition("/")[0])
    return root


def input_files(uri: str) -> tuple[Location, list[fs.FileInfo]]:
    """Root and files of an input: the one file that it names, or every file below it, sorted by path.

    Files and folders whose names begin with a dot or an underscore are passed over: they are somebody's notes.

    Raises:
        InvalidBatchJob: The URI names no place.
        NothingToScore: There is nothing.
        InputUnreachable: It cannot be read.
    """
    named, root = place(uri, "input"), input_root(uri)
    try:
        if root.root != named.root:
            return root, [root.filesystem.get_file_info(named.root)]
        below = root.filesystem.get_file_info(fs.FileSelector(root.root, recursive=True))
    except OSError as error:
        raise InputUnreachable(root.shown, f"cannot be read: {error}") from error
    files = [info for info in below if info.type == fs.FileType.File and not _hidden(relative(root, info.path))]
    return root, sorted(files, key=lambda info: info.path)


def relative(root: Location, path: str) -> str:
    """A path under the root, as the file system tells it, relative to the root."""
    return path[len(root.root) + 1 :]


@contextmanager
def writing(output: Location) -> Iterator[None]:
    """Name the output in errors of writing to it.

    Raises:
        OutputUnwritable: It could not be written.
    """
    try:
        yield
    except (OSError, StorageUnreachable) as error:
        raise OutputUnwritable(output.shown, str(error)) from error


def _hidden(path: str) -> bool:
    return any(part.startswith((".", "_")) for part in PurePosixPath(path).parts)
