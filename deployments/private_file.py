"""Files that hold secrets: readable by their owner alone, and there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

PRIVATE = 0o600


def write(file: Path, content: str | bytes, mode: int = PRIVATE) -> None:
    """Put a file in the place of what may be there."""
    with _finished(file, content, mode) as finished:
        finished.replace(file)


def create(file: Path, content: str | bytes) -> bool:
    """Make a file unless there is one; of several that try at once, one does.

    Returns:
        Whether the file was made.
    """
    with _finished(file, content, PRIVATE) as finished:
        try:
            os.link(finished, file)
        except FileExistsError:
            return False
    return True


@contextlib.contextmanager
def _finished(file: Path, content: str | bytes, mode: int) -> Iterator[Path]:
    """The content on disk, in a file of another name beside the one that is wanted."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if mode == PRIVATE else 0o755)
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    finished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as out:
            os.fchmod(descriptor, mode)
            out.write(content.encode() if isinstance(content, str) else content)
            out.flush()
            os.fsync(descriptor)
        yield finished
    finally:
        finished.unlink(missing_ok=True)
