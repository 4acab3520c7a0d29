"""Importing Python modules out of a verified package, and from nowhere else.

They are imported under a name that holds the package's digest: a batch worker has several versions of the same
module at once. Within one another they must therefore be imported relatively.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Container, Iterable, Sequence
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any

from deployments.contracts.package import CODE
from deployments.documents.errors import TransformerUnusable
from deployments.runtime.package import ModelPackage

_ROOT = "raygate_packaged"
_INIT = "__init__.py"


def load(package: ModelPackage, path: str) -> Any:
    """Return what an import path (``package.module:name``) names in the code of a package.

    Raises:
        TransformerUnusable: The package has no such module, it has no such name, or it cannot be imported.
        PackageRejected: A file has changed since the package was verified.
    """
    module, _, name = path.partition(":")
    if file_of(module, package.manifest.files) is None:
        known = ", ".join(modules_of(package.manifest.files)) or f"no {CODE}"
        raise TransformerUnusable(path, f"the package ships no module {module}; it ships {known}")
    finder = _finder(package)
    try:
        found = importlib.import_module(f"{finder.prefix}.{module}")
    except Exception as error:  # whatever its author's code raises
        raise TransformerUnusable(path, f"cannot be imported: {type(error).__name__}: {error}") from error
    if not hasattr(found, name):
        raise TransformerUnusable(path, f"the module has no {name}")
    return getattr(found, name)


def file_of(module: str, files: Container[str]) -> str | None:
    """The file of a package that holds a module, or None.

    Args:
        module: Dotted name.
        files: Paths of the package's files.
    """
    base = f"{CODE}/{module.replace('.', '/')}"
    candidates = (f"{base}.py", f"{base}/{_INIT}")
    return next((file for file in candidates if file in files), None)


def modules_of(files: Iterable[str]) -> list[str]:
    """Names of the modules that a package ships, sorted."""
    return sorted(_module_name(file) for file in files if file.startswith(f"{CODE}/") and file.endswith(".py"))


class _Loader(SourceLoader):
    """Source text whose bytes are hashed as they are read."""

    def __init__(self, package: ModelPackage, file: str) -> None:
        self._package, self._file = package, file

    def get_filename(self, fullname: str) -> str:
        return self._file  # shown in tracebacks: the path inside the package, none of this machine

    def get_data(self, path: Any) -> bytes:
        return self._package.read(str(path))


class _Finder(MetaPathFinder):
    """Finds the modules of one package under its prefix."""

    def __init__(self, package: ModelPackage, prefix: str) -> None:
        self._package, self.prefix = package, prefix

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{self.prefix}."):
            return None
        file = file_of(fullname.removeprefix(f"{self.prefix}."), self._package.manifest.files)
        if file is None:
            return None
        return spec_from_loader(fullname, _Loader(self._package, file), is_package=file.endswith(f"/{_INIT}"))


def _finder(package: ModelPackage) -> _Finder:
    prefix = f"{_ROOT}_{package.digest}"
    known = next((found for found in sys.meta_path if isinstance(found, _Finder) and found.prefix == prefix), None)
    if known is not None:
        return known
    root = ModuleType(prefix)
    root.__path__ = []  # a package without a directory: the finder alone says what is in it
    sys.modules[prefix] = root
    finder = _Finder(package, prefix)
    sys.meta_path.append(finder)
    return finder


def _module_name(file: str) -> str:
    return file.removeprefix(f"{CODE}/").removesuffix(f"/{_INIT}").removesuffix(".py").replace("/", ".")
