"""Signatures of model packages: who vouches for a manifest, and so for every file that it names.

A signature is a file beside the manifest. It signs the manifest's bytes, which hold name, version, schema
fingerprint and the SHA-256 of every file; ``registered_model_meta``, which MLflow adds on download, is in neither.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from deployments.contracts.errors import PackageRejected
from deployments.contracts.package import MANIFEST

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE = "signature.json"
_PURPOSE = b"raygate model package manifest\n"
"""Signed with every manifest, so that a signature of something else by the same key is none of a package."""


class Signature(BaseModel):
    """The file ``signature.json``.

    Attributes:
        algorithm: Ed25519 (RFC 8032).
        key: Id of the public key that verifies it.
        signature: Base64.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    algorithm: Literal["ed25519"] = "ed25519"
    key: str
    signature: str


@dataclass(frozen=True)
class SigningKey:
    """A private key that signs packages."""

    private: Ed25519PrivateKey

    @property
    def key_id(self) -> str:
        """Id of its public key."""
        return key_id(self.private.public_key())

    def sign(self, manifest: bytes) -> Signature:
        """Return the signature of a manifest."""
        signed = base64.b64encode(self.private.sign(_PURPOSE + manifest)).decode()
        return Signature(key=self.key_id, signature=signed)


class TrustedKeys:
    """Public keys whose signatures are believed. Kept as bytes, so that they can be sent to other processes."""

    def __init__(self, keys: Iterable[Ed25519PublicKey]) -> None:
        self._keys = {key_id(key): key.public_bytes_raw() for key in keys}

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the keys."""
        return tuple(sorted(self._keys))

    def check(self, directory: Path, manifest: bytes) -> str:
        """Check the signature of a package's manifest and return the id of its key.

        Raises:
            PackageRejected: There is none, it is of a key that is not trusted, or it is of another manifest.
        """
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            signature = Signature.model_validate_json((directory / SIGNATURE).read_bytes())
        except FileNotFoundError as error:
            raise PackageRejected(str(directory), "it is not signed, and a signature is required") from error
        except (OSError, ValidationError) as error:
            raise PackageRejected(str(directory), f"{SIGNATURE} is not of a known layout") from error
        key = self._keys.get(signature.key)
        if key is None:
            trusted = ", ".join(self.ids) or "none"
            raise PackageRejected(
                str(directory), f"it is signed with key {signature.key}, which is not trusted; trusted: {trusted}"
            )
        try:
            signed = base64.b64decode(signature.signature, validate=True)
            Ed25519PublicKey.from_public_bytes(key).verify(signed, _PURPOSE + manifest)
        except (InvalidSignature, ValueError) as error:
            raise PackageRejected(str(directory), f"its signature by key {signature.key} is wrong") from error
        return signature.key


def write(directory: Path, key: SigningKey) -> None:
    """Sign the manifest of a package as it is, in one step; who calls vouches for it."""
    temporary = directory.parent / f".{directory.name}.{SIGNATURE}"
    temporary.write_text(key.sign((directory / MANIFEST).read_bytes()).model_dump_json(indent=2))
    temporary.replace(directory / SIGNATURE)


def key_id(key: Ed25519PublicKey) -> str:
    """Return the first 16 hex digits of the SHA-256 of a public key's 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]
