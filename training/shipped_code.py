"""The Python package of an endpoint's transformers, as it is shipped inside a model package."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from deployments.contracts.errors import PackagingFailed


def read(directory: Path) -> dict[str, bytes]:
    """Return the source of every module by its path, the directory's own name first.

    Args:
        directory: Of a Python package: it holds ``__init__.py``.

    Raises:
        PackagingFailed: It is none, or a file is not Python.
    """
    if not (directory / "__init__.py").is_file():
        raise PackagingFailed(
            f"transformers {directory}", "must be the directory of a Python package: no __init__.py"
        )
    modules = {}
    for file in sorted(directory.rglob("*.py")):
        content = file.read_bytes()
        try:
            compile(content, str(file), "exec")
        except (SyntaxError, ValueError) as error:
            raise PackagingFailed(f"transformers {file}", f"is not Python: {error}") from error
        modules[f"{directory.resolve().name}/{file.relative_to(directory).as_posix()}"] = content
    return modules


def fingerprint(modules: Mapping[str, bytes]) -> str:
    """SHA-256 of the modules' names and content."""
    content = hashlib.sha256()
    for name, source in sorted(modules.items()):
        content.update(f"{name}\0{len(source)}\0".encode() + source)
    return content.hexdigest()
