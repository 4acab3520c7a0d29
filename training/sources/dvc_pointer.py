"""DVC's pointers: small files in Git that stand for large ones elsewhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from training.errors import SourceUnavailable
from training.sources import git

DIRECTORY = ".dir"
"""Ends the MD5 of a directory: its content is the list of its files."""


@dataclass(frozen=True)
class Pointer:
    """What stands for a file, or for the directory that it is in.

    Attributes:
        md5: Name of the content in a cache.
        inside: Path of the file in the directory; empty for a file.
    """

    md5: str
    inside: str = ""

    @property
    def content_md5(self) -> str:
        """What the content must hash to."""
        return self.md5.removesuffix(DIRECTORY)


def pointer_to(repository: Path, commit: str, path: str) -> Pointer:
    """Return what stands for a file at a commit: a pointer of its own, or one of a directory above it.

    Raises:
        SourceUnavailable: It is not tracked there, or by a DVC that is too old.
    """
    tracked = PurePosixPath(path)
    for above in (tracked, *tracked.parents[:-1]):
        content = git.file(repository, commit, f"{above}.dvc")
        if content is not None:
            inside = "" if above == tracked else str(tracked.relative_to(above))
            return Pointer(_md5(content, above, inside), inside)
    raise SourceUnavailable(f"{path} at {commit}", f"DVC does not track it: there is no {path}.dvc")


def file_in_directory(listing: bytes, directory: Pointer, path: str) -> Pointer:
    """Return what stands for a file of a tracked directory.

    Args:
        listing: Content of the directory.
        directory: What stands for it.
        path: The file, as the document names it.

    Raises:
        SourceUnavailable: There is no such file in it.
    """
    for entry in json.loads(listing):
        if entry["relpath"] == directory.inside:
            return Pointer(str(entry["md5"]))
    raise SourceUnavailable(path, "its tracked directory has no such file at that revision")


def _md5(content: bytes, tracked: PurePosixPath, inside: str) -> str:
    pointer = f"{tracked}.dvc"
    try:
        said: Any = yaml.safe_load(content)
        out = next(one for one in said["outs"] if one["path"] == tracked.name)
        md5 = str(out["md5"])
    except (yaml.YAMLError, StopIteration, KeyError, TypeError) as error:
        raise SourceUnavailable(pointer, f"is no pointer to {tracked.name} by MD5") from error
    if out.get("hash") != "md5":  # before version 3 DVC hashed texts with their line ends changed
        raise SourceUnavailable(pointer, "was written by DVC 2; run dvc cache migrate --dvc-files")
    if md5.endswith(DIRECTORY) != bool(inside):
        kind = "a directory; name a file in it" if md5.endswith(DIRECTORY) else "a file, not a directory"
        raise SourceUnavailable(pointer, f"stands for {kind}")
    return md5
