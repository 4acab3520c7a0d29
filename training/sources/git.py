"""What a Git repository holds at a revision."""

from __future__ import annotations

import subprocess
from pathlib import Path

from training.errors import SourceUnavailable

TIMEOUT_S = 60


def commit(repository: Path, revision: str) -> str:
    """Return the commit that a tag, a branch or a shortened commit stands for.

    Raises:
        SourceUnavailable: There is no such repository or revision.
    """
    wanted = f"{revision}^{{commit}}"
    return _asked(repository, "rev-parse", "--verify", "--end-of-options", wanted).decode().strip()


def file(repository: Path, at: str, path: str) -> bytes | None:
    """Return a file's content at a commit, None if there is none.

    Raises:
        SourceUnavailable: The repository cannot be read.
    """
    if not _asked(repository, "ls-tree", "--full-tree", "--name-only", at, "--", path):
        return None
    return _asked(repository, "cat-file", "blob", f"{at}:{path}")


def _asked(repository: Path, *arguments: str) -> bytes:
    try:
        return subprocess.run(
            ["git", "-C", str(repository), *arguments], capture_output=True, timeout=TIMEOUT_S, check=True
        ).stdout
    except subprocess.CalledProcessError as error:
        reason = " ".join(error.stderr.decode(errors="replace").split())
        raise SourceUnavailable(f"Git repository {repository}", reason) from error
    except (OSError, subprocess.SubprocessError) as error:
        raise SourceUnavailable(f"Git repository {repository}", str(error)) from error
