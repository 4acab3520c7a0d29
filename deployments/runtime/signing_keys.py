"""A directory of signing keys: the active private one, and the public ones that are trusted.

``private/<id>.pem`` (readable by its owner alone), ``trusted/<id>.pem``, and ``active`` with an id. Where packages
are only verified, as in a pool, the directory holds ``trusted`` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deployments import private_file
from deployments.contracts.errors import RaygateError
from deployments.runtime.signature import SigningKey, TrustedKeys, key_id

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_PUBLIC = 0o644


class KeyUnusable(RaygateError):
    """A signing key is not there, or is not what its place says."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(key, reason)
        self.key, self.reason = key, reason

    def __str__(self) -> str:
        return f"signing key {self.key}: {self.reason}"


@dataclass(frozen=True)
class KeyDirectory:
    """Signing keys in a directory."""

    directory: Path

    def create(self) -> str:
        """Make a new key the active one and return its id; older ones stay trusted until they are retired."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        private = Ed25519PrivateKey.generate()
        made = key_id(private.public_key())
        pem = serialization.Encoding.PEM
        content = private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        public = private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        private_file.write(self._trusted / f"{made}.pem", public, mode=_PUBLIC)
        private_file.write(self._private / f"{made}.pem", content)
        private_file.write(self._active, made, mode=_PUBLIC)
        return made

    def active_id(self) -> str | None:
        """Id of the key that signs, or None."""
        try:
            return self._active.read_text().strip()
        except FileNotFoundError:
            return None

    def active(self) -> SigningKey | None:
        """The key that signs, or None.

        Raises:
            KeyUnusable: Its file is gone, or not a key.
        """
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        active = self.active_id()
        if active is None:
            return None
        try:
            key = serialization.load_pem_private_key((self._private / f"{active}.pem").read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise KeyUnusable(active, f"its private half cannot be read: {error}") from error
        if not isinstance(key, Ed25519PrivateKey) or key_id(key.public_key()) != active:
            raise KeyUnusable(active, "the file of its private half holds another key")
        return SigningKey(key)

    def trusted(self) -> TrustedKeys:
        """The public keys whose signatures are believed.

        Raises:
            KeyUnusable: A file is no Ed25519 key.
        """
        return TrustedKeys(public_keys(self._trusted))

    def retire(self, key: str) -> None:
        """Stop believing a key and destroy its private half.

        Raises:
            KeyUnusable: It signs still, or is not there.
        """
        if key == self.active_id():
            raise KeyUnusable(key, "signs still; create another one first")
        if not (self._trusted / f"{key}.pem").exists():
            raise KeyUnusable(key, f"is not here; trusted: {', '.join(self.trusted().ids) or 'none'}")
        (self._private / f"{key}.pem").unlink(missing_ok=True)
        (self._trusted / f"{key}.pem").unlink()

    @property
    def _private(self) -> Path:
        return self.directory / "private"

    @property
    def _trusted(self) -> Path:
        return self.directory / "trusted"

    @property
    def _active(self) -> Path:
        return self.directory / "active"


def public_keys(directory: Path) -> list[Ed25519PublicKey]:
    """The keys in the files ``*.pem`` of a directory; none where there is no such directory.

    Raises:
        KeyUnusable: A file is no Ed25519 public key.
    """
    found = []
    for file in sorted(directory.glob("*.pem")):
        try:
            content = file.read_bytes()
        except OSError as error:
            raise KeyUnusable(file.stem, f"{file} cannot be read: {error.strerror}") from error
        found.append(public_key(content, file.stem, str(file)))
    return found


def public_key(pem: bytes, name: str, where: str) -> Ed25519PublicKey:
    """Read one public key.

    Args:
        pem: Its PEM text.
        name: For the error.
        where: It stands, for the error.

    Raises:
        KeyUnusable: It is no Ed25519 public key.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError as error:
        raise KeyUnusable(name, f"{where} cannot be read as a public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyUnusable(name, f"{where} holds no Ed25519 key")
    return key
