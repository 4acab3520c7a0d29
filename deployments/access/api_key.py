"""The text of an API key: ``rg_<key id>_<secret><checksum>``.

The secret has 43 characters of 62, 256 bits from the operating system's generator. The checksum is the CRC-32 of
what stands before it, so a scanner of source code can tell a key from a text that looks like one without asking
anybody (the layout that GitHub introduced for its tokens). Stores hold the SHA-256 of the whole text: against 256
random bits there is no dictionary to slow down, and bcrypt would cost every first request a tenth of a second.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field

PREFIX = "rg_"
PATTERN = re.compile(r"\brg_([0-9a-z]{12})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})\b")
"""What a secret scanner looks for; ``is_genuine`` then rules out what only looks like a key."""

_ID_ALPHABET = string.digits + string.ascii_lowercase
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_LENGTH, _SECRET_LENGTH, _CHECKSUM_LENGTH = 12, 43, 6


@dataclass(frozen=True, slots=True)
class MintedKey:
    """A new key: the only moment at which its text is known.

    Attributes:
        text: What the caller sends; shown once, never stored.
        key_id: Names the key in lists and logs; no secret.
        digest: SHA-256 of the text, 32 bytes: what is stored.
    """

    text: str = field(repr=False)
    key_id: str
    digest: bytes


def mint() -> MintedKey:
    """A new key from the operating system's generator."""
    key_id = _random(_ID_ALPHABET, _ID_LENGTH)
    body = f"{PREFIX}{key_id}_{_random(_ALPHABET, _SECRET_LENGTH)}"
    text = body + _checksum(body)
    return MintedKey(text, key_id, digest(text.encode()))


def digest(text: bytes) -> bytes:
    """What is stored of a key, and looked up."""
    return hashlib.sha256(text).digest()


def is_genuine(text: str) -> bool:
    """Whether a text is a key that was minted here or elsewhere, by form and checksum; not whether it is valid."""
    return PATTERN.fullmatch(text) is not None and _checksum(text[:-_CHECKSUM_LENGTH]) == text[-_CHECKSUM_LENGTH:]


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), []
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
