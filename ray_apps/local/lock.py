"""One command at a time changes a stack."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from deployments.contracts.errors import RaygateError


class CommandRunning(RaygateError):
    """Another command starts or stops the stack of this state directory."""

    def __init__(self, lock_file: str) -> None:
        super().__init__(lock_file)
        self.lock_file = lock_file

    def __str__(self) -> str:
        return f"another raygate command is starting or stopping this stack (it holds {self.lock_file})"


_here = threading.local()
"""Locks of this thread whose holder gives way, by file."""


@contextmanager
def exclusive(lock_file: Path, wait: bool = False, gives_way: bool = False) -> Iterator[None]:
    """Hold the lock for the block. The kernel releases it when its holder dies, however it dies.

    Args:
        lock_file: Made if it is not there.
        wait: Wait for another holder to finish instead of raising.
        gives_way: Others may have the lock inside of ``aside``.

    Raises:
        CommandRunning: Another process holds it.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandRunning(str(lock_file)) from error
        if gives_way:
            _held()[lock_file] = file
        try:
            yield
        finally:
            _held().pop(lock_file, None)


@contextmanager
def aside(lock_file: Path) -> Iterator[None]:
    """Let others have the lock for the block, if this thread holds it and gives way.

    So a rollback waits for nobody's pools. What was read before may be another afterwards.
    """
    file = _held().get(lock_file)
    if file is None:
        yield
        return
    with _marker(lock_file).open("a") as marker:
        fcntl.flock(marker, fcntl.LOCK_SH)
        fcntl.flock(file, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_EX)


def somebody_is_aside(lock_file: Path) -> bool:
    """Whether somebody is inside of ``aside``: waits, say, for pools that no policy names yet."""
    with _marker(lock_file).open("a") as marker:
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _held() -> dict[Path, IO[str]]:
    held: dict[Path, IO[str]] = _here.__dict__.setdefault("held", {})
    return held


def _marker(lock_file: Path) -> Path:
    return lock_file.with_name(f"{lock_file.name}.aside")
