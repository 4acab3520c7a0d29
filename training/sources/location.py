"""Files on this machine and objects in S3, by one text.

S3 takes its credentials, region and endpoint from the usual ``AWS_*`` variables; ``?region=`` and
``?endpoint_override=`` in the text win over them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

from pydantic import BeforeValidator

from training import source_address
from training.errors import SourceUnavailable
from training.sources.described import Described

if TYPE_CHECKING:
    from pyarrow import fs

S3 = "s3://"


def _as_text(location: object) -> object:
    return str(location) if isinstance(location, Path) else location


Location = Annotated[str, BeforeValidator(_as_text)]
"""A path, counted from where the command runs, or ``s3://bucket/key``."""


def resolve(location: str) -> tuple[fs.FileSystem, str]:
    """Return the file system of a location and the path in it.

    Raises:
        SourceUnavailable: It is no location that is known, or holds a secret: DVC's remotes do not come from a
            document.
    """
    from pyarrow import fs

    if found := source_address.secret_in(location):
        raise SourceUnavailable(location, f"its address must hold no {found}; {Described.SECRETS}")
    if not location.startswith(S3):
        return fs.LocalFileSystem(), str(Path(location).absolute())
    try:
        filesystem, path = fs.FileSystem.from_uri(location)
    except (OSError, ValueError) as error:
        raise SourceUnavailable(location, str(error)) from error
    return filesystem, str(path)


@contextmanager
def opened(location: str) -> Iterator[IO[bytes]]:
    """Give a file's bytes as a stream.

    Raises:
        SourceUnavailable: It cannot be read, or what reads it does not understand it.
    """
    filesystem, path = resolve(location)
    try:
        with filesystem.open_input_file(path) as stream:
            yield stream
    except (OSError, ValueError) as error:
        raise SourceUnavailable(location, " ".join(str(error).split())) from error
