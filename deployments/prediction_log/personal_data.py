"""Personal data in the log: values encrypted, people under pseudonyms.

A value is a Fernet token (AES-128-CBC with HMAC-SHA-256): the same value gives another token each time, so equal
values cannot be told from their tokens. A person (the sticky unit) must be found again, so a unit gets a pseudonym
instead: keyed BLAKE2b, the same for the same unit and key, and useless to whoever has no key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from deployments import private_file
from deployments.contracts import secret_reference
from deployments.contracts.errors import RaygateError
from deployments.prediction_log.errors import InvalidPersonalDataKey

_EXPECTED = "must be 32 random bytes in URL-safe base64, as `raygate log new-key` prints them"


class PersonalDataKeys:
    """One or more keys: the first encrypts, all of them decrypt and find.

    Args:
        keys: Fernet keys, newest first.
        where: Where they come from, for errors.

    Raises:
        InvalidPersonalDataKey: There is none, or one is malformed; the error never shows it.
    """

    def __init__(self, keys: Sequence[str], where: str = "given") -> None:
        if not keys:
            raise InvalidPersonalDataKey(where, f"is empty; each key {_EXPECTED}")
        self._where = where
        material = [_material(key, where, position) for position, key in enumerate(keys)]
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._units = [(_key_id(raw), _derived(raw, b"raygate-unit-key")) for raw in material]

    @classmethod
    def load(cls, reference: str) -> PersonalDataKeys:
        """Read keys.

        Args:
            reference: ``env:NAME`` or ``file:/path``; several keys are separated by white space, newest first.

        Raises:
            InvalidPersonalDataKey: The reference leads nowhere, or a key is malformed.
        """
        try:
            text = secret_reference.resolve(reference)
        except RaygateError as error:
            raise InvalidPersonalDataKey(reference, str(error)) from error
        return cls(text.split(), reference)

    @property
    def identity(self) -> str:
        """Eight hex digits that name the first key without giving anything of it away."""
        return self._units[0][0]

    def encrypt(self, text: str) -> str:
        """A token of a value, under the first key."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """The value of a token.

        Raises:
            InvalidPersonalDataKey: None of the keys made it, or it was changed.
        """
        try:
            return self._fernet.decrypt(token.encode()).decode()
        except InvalidToken:
            raise InvalidPersonalDataKey(self._where, "is not the key of a value in the log") from None

    def reencrypt(self, token: str) -> str:
        """The same value under the first key.

        Raises:
            InvalidPersonalDataKey: None of the keys made the token, or it was changed.
        """
        try:
            return self._fernet.rotate(token.encode()).decode()
        except InvalidToken:
            raise InvalidPersonalDataKey(self._where, "is not the key of a value in the log") from None

    def pseudonym(self, unit: str) -> str:
        """What stands for a unit from now on: ``<identity of the key>:<32 hex digits>``."""
        return _pseudonym(unit, *self._units[0])

    def pseudonyms(self, unit: str) -> tuple[str, ...]:
        """Everything that may stand for a unit in the log: one pseudonym a key."""
        return tuple(_pseudonym(unit, identity, key) for identity, key in self._units)


def new_key() -> str:
    """A key out of the operating system's randomness."""
    return Fernet.generate_key().decode()


def create_key_file(path: Path) -> bool:
    """Make a file with a new key that only its owner may read, unless there is one.

    Returns:
        Whether the file was made.
    """
    return private_file.create(path, f"{new_key()}\n")


def _material(key: str, where: str, position: int) -> bytes:
    try:
        raw = base64.b64decode(key.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise InvalidPersonalDataKey(where, f"key {position + 1} is malformed; it {_EXPECTED}")
    return raw


def _derived(raw: bytes, purpose: bytes) -> bytes:
    """A key of its own for each purpose: what one of them gives away says nothing about the others."""
    return hashlib.blake2b(key=raw, person=purpose, digest_size=32).digest()


def _key_id(raw: bytes) -> str:
    return _derived(raw, b"raygate-key-id")[:4].hex()


def _pseudonym(unit: str, identity: str, key: bytes) -> str:
    return f"{identity}:{hashlib.blake2b(unit.encode(), key=key, digest_size=16).hexdigest()}"
