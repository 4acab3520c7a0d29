"""One command at a time changes a stack."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployments.contracts.errors import RaygateError


class CommandRunning(RaygateError):
    """Another command starts or stops the stack of this state directory."""

    def __init__(self, lock_file: str) -> None:
        super().__init__(lock_file)
        self.lock_file = lock_file

    def __str__(self) -> str:
        return f"another raygate command is starting or stopping this stack (it holds {self.lock_file})"


@contextmanager
def exclusive(lock_file: Path, wait: bool = False) -> Iterator[None]:
    """Hold the lock for the block. The kernel releases it when its holder dies, however it dies.

    Args:
        lock_file: Made if it is not there.
        wait: Wait for another holder to finish instead of raising.

    Raises:
        CommandRunning: Another process holds it.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandRunning(str(lock_file)) from error
        yield
