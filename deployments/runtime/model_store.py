"""The file store of model packages: ``<root>/<name>/v<version>``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deployments.contracts.errors import InvalidVersion, PackageNotFound, PackageRejected
from deployments.contracts.model_version import Version, model_name
from deployments.contracts.package import MANIFEST
from deployments.runtime import package, trust
from deployments.runtime.package import ModelPackage


class ModelStore:
    """Packages by model name and version. A version, once there, never changes.

    Args:
        root: Of the store.
        trusted_keys: Reference of the keys (``trust.keys_at``) of which one must have signed what is loaded from
            here; None asks for no signature.
    """

    def __init__(self, root: Path, trusted_keys: str | None = None) -> None:
        self.root, self.trusted_keys = root, trusted_keys

    def path(self, model: str, version: Version) -> Path:
        """Where a version's package is or would be."""
        return self.root / model_name(model) / f"v{version}"

    def find(self, model: str, version: Version) -> Path:
        """Return the directory of a version's package.

        Raises:
            PackageNotFound: The store does not hold that version; the error names those that it holds.
        """
        directory = self.path(model, version)
        if not (directory / MANIFEST).is_file():
            raise PackageNotFound(str(directory), tuple(str(known) for known in self.versions(model)))
        return directory

    def load(self, model: str, version: Version) -> ModelPackage:
        """Load a version's package, verified, and signed where the store asks for it.

        Raises:
            PackageNotFound: See ``find``.
            PackageRejected: See ``package.load``.
            KeyUnusable: A signature is asked for, and there is no key that could tell whose it is.
        """
        return package.load(self.find(model, version), trusted=trust.keys_at(self.trusted_keys))

    def digest(self, model: str, version: Version) -> str:
        """Return the digest that a version's package must have wherever it is loaded; its files are not read.

        Raises:
            PackageNotFound: See ``find``.
            PackageRejected: A signature is asked for; it is missing, wrong or of somebody else.
            KeyUnusable: See ``load``.
        """
        return package.digest_of(self.find(model, version), trust.keys_at(self.trusted_keys))

    def versions(self, model: str) -> list[Version]:
        """Versions of a model that are in the store, oldest number first."""
        found = []
        for manifest in (self.root / model_name(model)).glob(f"v*/{MANIFEST}"):
            try:
                found.append(Version.parse(manifest.parent.name.removeprefix("v")))
            except InvalidVersion:
                continue  # somebody else's directory
        return sorted(found)

    def models(self) -> list[str]:
        """Names of the models of which the store holds a version, in alphabetical order."""
        found = []
        for directory in sorted(self.root.glob("*/")):
            try:
                if self.versions(directory.name):
                    found.append(directory.name)
            except InvalidVersion:
                continue
        return found

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Give an empty directory in which a package can be put together; what is not added is removed.

        It lies under the store's root, because a rename is atomic only within one file system. A leading dot keeps
        what a crash leaves behind from being taken for a model.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".staging-", dir=self.root))
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def add(self, staged: Path, model: str, version: Version) -> Path:
        """Move a complete package into the store in one step.

        Adding the same package again changes nothing.

        Args:
            staged: A verified package on the store's file system, from ``staging``.
            model: Model name.
            version: Version number.

        Returns:
            The package's directory in the store.

        Raises:
            PackageRejected: The staged package is incomplete, or the store holds another one as this version.
        """
        digest = package.verify(staged)
        directory = self.path(model, version)
        directory.parent.mkdir(parents=True, exist_ok=True)
        try:
            staged.rename(directory)
        except OSError:
            if not (directory / MANIFEST).is_file():
                raise
            present = package.digest_of(directory)
            if present != digest:
                reason = f"it is immutable and holds {present[:12]}; give {digest[:12]} another version number"
                raise PackageRejected(str(directory), reason) from None
        return directory

    def remove(self, model: str, version: Version) -> None:
        """Remove a version that nobody was told of yet; one that is gone already is no error.

        It leaves in one step, so that nobody finds a part of it.
        """
        with self.staging() as scratch, suppress(FileNotFoundError):
            self.path(model, version).rename(scratch / "removed")
