"""Which code made a version."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

VARIABLE = "RAYGATE_CODE_VERSION"
"""Set in the image, which has no checkout: the commit that it was built from."""
_TIMEOUT_S = 5


def code_version(file: Path = Path(__file__)) -> str:
    """Git commit of the code, ``-dirty`` behind it if tracked files differ from it; empty where nobody knows.

    Outside a checkout it is what the image was built from. Somebody else's checkout around an installed package is
    none: its commit says nothing of this code.
    """
    try:
        _git(file, "ls-files", "--error-unmatch", "--", file.name)
        return _git(file, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.SubprocessError):
        return os.environ.get(VARIABLE, "")


def _git(file: Path, *arguments: str) -> str:
    command = ["git", "-C", str(file.parent), *arguments]
    found = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    return found.stdout.strip()
