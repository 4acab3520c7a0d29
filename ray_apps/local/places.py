"""Where the local stack keeps its files."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from deployments.contracts.errors import RaygateError

# HAProxy accepts 97 characters for its admin socket; Ray puts a node id of 56 between this directory and the file.
_SHORT_ROOT = Path("/tmp")


class UnsafeDirectory(RaygateError):
    """A directory that the stack would trust belongs to somebody else or is open to others."""

    def __init__(self, directory: str, reason: str) -> None:
        super().__init__(directory, reason)
        self.directory, self.reason = directory, reason

    def __str__(self) -> str:
        return f"{self.directory} {self.reason}; remove it or have its owner remove it"


@dataclass(frozen=True, slots=True)
class Places:
    """Files and directories of the stack that belongs to one state directory.

    Unix sockets have at most 107 characters in their path, and a checkout may lie deep: what holds sockets is in
    ``/tmp/raygate-<identity>``, everything else in the state directory.

    Attributes:
        state: The state directory, absolute.
    """

    state: Path

    @property
    def identity(self) -> str:
        """Eight hex digits that stand for the state directory; every process of the stack carries them."""
        return hashlib.sha256(str(self.state).encode()).hexdigest()[:8]

    @property
    def run_file(self) -> Path:
        """What runs now."""
        return self.state / "run" / "stack.json"

    @property
    def lock_file(self) -> Path:
        """Held by the command that starts or stops the stack."""
        return self.state / "run" / "lock"

    @property
    def sockets(self) -> Path:
        """Root of everything that holds Unix sockets."""
        return _SHORT_ROOT / f"raygate-{self.identity}"

    @property
    def ray_sessions(self) -> Path:
        """Ray's ``--temp-dir``."""
        return self.sockets / "ray"

    @property
    def haproxy(self) -> Path:
        """HAProxy's configuration, sockets and server state."""
        return self.sockets / "h"

    def log(self, process: str) -> Path:
        """Log file of one of our children."""
        return self.state / "logs" / f"{process}.log"

    def create(self) -> None:
        """Make the directories.

        Raises:
            UnsafeDirectory: The short directory, whose name can be guessed, is not ours alone.
        """
        self.run_file.parent.mkdir(parents=True, exist_ok=True)
        self.log("ray").parent.mkdir(parents=True, exist_ok=True)
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        _check_private(self.sockets)
        self.haproxy.mkdir(exist_ok=True)


def _check_private(directory: Path) -> None:
    """Ray opens its own directories to everybody, so the one above them has to be closed."""
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeDirectory(str(directory), "is not a directory")
    if found.st_uid != os.getuid():
        raise UnsafeDirectory(str(directory), f"belongs to user {found.st_uid}")
    if found.st_mode & 0o077:
        raise UnsafeDirectory(str(directory), f"is open to others (mode {found.st_mode & 0o777:o}, expected 700)")
