"""Which code made a version."""

from __future__ import annotations

import subprocess
from pathlib import Path


def code_version() -> str:
    """Git commit of the code, or empty outside a checkout."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()
