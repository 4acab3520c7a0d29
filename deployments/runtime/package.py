"""Loading a model package: every byte is hashed before anything is unpickled.

A downloaded package may hold one file that its manifest does not list: MLflow writes ``registered_model_meta``
(the name and number of the registered version) next to a model that it fetches from its registry. Nothing here
ever reads it, so it may be there and may say anything. Any other file that is not listed refuses the package:
what nobody vouches for could be read by a library that a listed file makes us call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from deployments.contracts.errors import PackageNotFound, PackageRejected
from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.package import MANIFEST, METADATA, REFERENCE_PROFILE, SCHEMA, Manifest, ModelMetadata
from deployments.contracts.reference_profile import ReferenceProfile
from deployments.runtime.signature import SIGNATURE, TrustedKeys

WRITTEN_ON_DOWNLOAD = frozenset({"registered_model_meta"})

_MAKE_ANEW = "serve it with that release, or train or package the version anew under another number"

Document = TypeVar("Document", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """A verified package: what it says of itself, and a way to its files.

    Attributes:
        directory: Where it lies.
        digest: SHA-256 (hex) of its manifest, which names the SHA-256 of every file.
        manifest: Its files.
        schema: The features that the model takes.
        metadata: Where the model comes from and how its scores are to be read.
        reference: Distributions of the training data.
    """

    directory: Path
    digest: str
    manifest: Manifest
    schema: FeatureSchema
    metadata: ModelMetadata
    reference: ReferenceProfile

    def read(self, file: str) -> bytes:
        """Return a file's bytes, hashed once more: the disk may have changed since the package was verified.

        Raises:
            PackageRejected: The package lists no such file, or its content is another one.
        """
        return _read_listed(self.directory, self.manifest, file)


def verify(directory: Path, expected_digest: str | None = None, trusted: TrustedKeys | None = None) -> str:
    """Hash every file of a package and compare with its manifest.

    Args:
        directory: The package.
        expected_digest: The digest that it must have; None accepts any package that agrees with itself.
        trusted: Keys of which one must have signed the manifest; None asks for no signature.

    Returns:
        The package's digest.

    Raises:
        PackageNotFound: There is no manifest.
        PackageRejected: A file is missing, added or changed, the digest is another one, or the signature is
            missing, wrong or of somebody else.
    """
    digest, _ = _verified(directory, expected_digest, trusted)
    return digest


def load(directory: Path, expected_digest: str | None = None, trusted: TrustedKeys | None = None) -> ModelPackage:
    """Verify a package and read what it says of itself; the model is not unpickled yet.

    Args:
        directory: The package.
        expected_digest: As for ``verify``.
        trusted: As for ``verify``.

    Raises:
        PackageNotFound: There is no manifest.
        PackageRejected: As by ``verify``, or a file is not of this layout.
    """
    digest, manifest = _verified(directory, expected_digest, trusted)
    schema = _parse(directory, manifest, SCHEMA, FeatureSchema)
    metadata = _parse(directory, manifest, METADATA, ModelMetadata)
    reference = _parse(directory, manifest, REFERENCE_PROFILE, ReferenceProfile)
    if schema.fingerprint != manifest.schema_fingerprint:
        raise PackageRejected(
            str(directory),
            f"it names its schema {manifest.schema_fingerprint}, and this release {schema.fingerprint}: "
            f"another release made it; {_MAKE_ANEW}",
        )
    if (metadata.model, metadata.version) != (manifest.model, manifest.version):
        raise PackageRejected(
            str(directory),
            f"{METADATA} is of {metadata.model} {metadata.version}, "
            f"the manifest of {manifest.model} {manifest.version}",
        )
    return ModelPackage(directory, digest, manifest, schema, metadata, reference)


def peek(directory: Path, file: str, document: type[Document]) -> Document:
    """Read one document of a package without hashing anything: the pool that loads the package verifies all of it.

    Raises:
        PackageRejected: It is missing, or not of this layout.
    """
    try:
        return document.model_validate_json((directory / file).read_bytes())
    except OSError as error:
        raise PackageRejected(str(directory), f"{file} cannot be read") from error
    except ValidationError as error:
        raise PackageRejected(str(directory), f"{file} is not of a known layout") from error


def digest_of(directory: Path, trusted: TrustedKeys | None = None) -> str:
    """Return the SHA-256 of a package's manifest without looking at the files that it lists.

    Args:
        directory: The package.
        trusted: Keys of which one must have signed these very bytes; None asks for no signature.

    Raises:
        PackageNotFound: There is no manifest.
        PackageRejected: Its signature is missing, wrong or of somebody else.
    """
    return _digest(directory, _manifest_bytes(directory), trusted)


def files_of(directory: Path) -> Iterator[str]:
    """Give the path of every file of a package, relative to it and with slashes, manifest and signature excluded.

    Raises:
        PackageRejected: Something is neither a file nor a directory: a link could lead outside.
    """
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise PackageRejected(str(directory), f"{name} is not a plain file")
        if path.is_file() and name not in (MANIFEST, SIGNATURE):
            yield name


def _verified(directory: Path, expected_digest: str | None, trusted: TrustedKeys | None) -> tuple[str, Manifest]:
    content = _manifest_bytes(directory)
    digest = _digest(directory, content, trusted)
    if expected_digest is not None and digest != expected_digest:
        raise PackageRejected(str(directory), f"its digest is {digest}, not {expected_digest}")
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise PackageRejected(str(directory), f"{MANIFEST} is not of a known layout") from error
    found = set(files_of(directory))
    if missing := sorted(manifest.files.keys() - found):
        raise PackageRejected(str(directory), f"missing: {', '.join(missing)}")
    if added := sorted(found - manifest.files.keys() - WRITTEN_ON_DOWNLOAD):
        raise PackageRejected(str(directory), f"not in the manifest: {', '.join(added)}")
    for file in manifest.files:
        _read_listed(directory, manifest, file)
    return digest, manifest


def _digest(directory: Path, manifest: bytes, trusted: TrustedKeys | None) -> str:
    if trusted is not None:
        trusted.check(directory, manifest)
    return hashlib.sha256(manifest).hexdigest()


def _manifest_bytes(directory: Path) -> bytes:
    try:
        return (directory / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PackageNotFound(str(directory)) from error


def _read_listed(directory: Path, manifest: Manifest, file: str) -> bytes:
    expected = manifest.files.get(file)
    if expected is None:
        raise PackageRejected(str(directory), f"the manifest does not list {file}")
    try:
        content = (directory / file).read_bytes()
    except OSError as error:
        raise PackageRejected(str(directory), f"{file} cannot be read") from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise PackageRejected(str(directory), f"{file} has changed since it was packaged")
    return content


def _parse(directory: Path, manifest: Manifest, file: str, document: type[Document]) -> Document:
    try:
        return document.model_validate_json(_read_listed(directory, manifest, file))
    except ValidationError as error:
        where = ", ".join(sorted({".".join(map(str, found["loc"])) for found in error.errors()}))
        reason = f"{file} is not of a known layout ({where}): another release made it; {_MAKE_ANEW}"
        raise PackageRejected(str(directory), reason) from error
