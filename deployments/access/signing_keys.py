"""The keys that verify an issuer's tokens: read from a key set, kept, read again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.access.errors import AccessUnavailable, InvalidKeySet
from deployments.access.policy import Algorithm

if TYPE_CHECKING:
    from jwt import PyJWK

READ_SECONDS = 600.0
"""How often a key set is read; sooner when a token names a key that it does not have."""
SHORTEST_PAUSE_SECONDS = 10.0
"""However many tokens name unknown keys, the issuer is asked at most this often."""
TRUST_SECONDS = 86_400.0
"""A key that the issuer has withdrawn counts no longer than this while its key set cannot be read."""
_FETCH_SECONDS = 5.0
_LARGEST_SET_BYTES = 1_000_000
_KEY_TYPES = {"RS256": "RSA", "ES256": "EC"}
_SMALLEST_RSA_BITS = 2048

Fetch = Callable[[str], bytes]


def fetch(location: str) -> bytes:
    """The content of a key set.

    Args:
        location: ``file:/path``, or a URL, of which no redirection is followed.

    Raises:
        OSError: The file cannot be read.
        httpx.HTTPError: The URL does not answer with a document of bounded size.
    """
    if location.startswith("file:"):
        return Path(location.removeprefix("file:")).read_bytes()
    import httpx  # here, because gateways without issuers need none

    with httpx.stream("GET", location, timeout=_FETCH_SECONDS) as response:
        response.raise_for_status()
        content = b""
        for piece in response.iter_bytes():
            content += piece
            if len(content) > _LARGEST_SET_BYTES:
                raise httpx.DecodingError(f"more than {_LARGEST_SET_BYTES} bytes")
        return content


class SigningKeys:
    """Public keys of one issuer for one algorithm.

    Args:
        issuer: Names it in errors.
        location: Of the key set.
        algorithm: Only keys for it are kept, so no key is ever used in another way than it was made for.
        changed: Called when the keys are others than before.
    """

    def __init__(
        self,
        issuer: str,
        location: str,
        algorithm: Algorithm,
        changed: Callable[[], None],
        fetch: Fetch = fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer, self._location, self._algorithm = issuer, location, algorithm
        self._changed, self._fetch, self._clock = changed, fetch, clock
        self._ask_again: Callable[[], None] = lambda: None
        self._keys: dict[str | None, PyJWK] = {}
        self._content = b""
        self._read_at: float | None = None

    def on_unknown_key(self, ask_again: Callable[[], None]) -> None:
        """Say what to call when a token names an unknown key; it must return at once."""
        self._ask_again = ask_again

    def read(self) -> None:
        """Read the key set. Blocks: for a thread of its own.

        Raises:
            InvalidKeySet: It cannot be read or has no key for the algorithm; the last keys stay.
        """
        began = self._clock()
        try:
            content = self._fetch(self._location)
        except Exception as error:  # whatever file system and network have
            raise InvalidKeySet(self._issuer, f"{self._location}: {error}") from error
        if content != self._content:
            self._keys = parse(content, self._issuer, self._algorithm)
            self._content = content
            self._changed()
        self._read_at = began

    def find(self, key_id: str | None) -> PyJWK | None:
        """The key that a token names, or the only one if it names none; None asks for another reading.

        Raises:
            AccessUnavailable: The key set was not read yet, or not for too long.
        """
        if self._read_at is None or self._clock() - self._read_at > TRUST_SECONDS:
            self._ask_again()
            raise AccessUnavailable(f"the keys of the issuer {self._issuer} cannot be read now")
        keys = self._keys
        key = next(iter(keys.values())) if key_id is None and len(keys) == 1 else keys.get(key_id)
        if key is None:
            self._ask_again()
        return key


def parse(content: bytes, issuer: str, algorithm: Algorithm) -> dict[str | None, PyJWK]:
    """Keys of a JSON Web Key Set (RFC 7517) that may verify signatures of one algorithm, by key id.

    Raises:
        InvalidKeySet: It is none, or has no such key.
    """
    from jwt import PyJWK, PyJWTError

    try:
        entries = json.loads(content)["keys"]
        fitting = [entry for entry in entries if _fits(entry, algorithm)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidKeySet(issuer, "is not a JSON Web Key Set, an object with the list 'keys'") from error
    keys: dict[str | None, PyJWK] = {}
    for entry in fitting:
        try:
            key = PyJWK(entry, algorithm)
        except PyJWTError:  # a key of a kind that is not supported; others may be fine
            continue
        if getattr(key.key, "key_size", 0) >= (_SMALLEST_RSA_BITS if algorithm == "RS256" else 256):
            keys[entry.get("kid")] = key
    if not keys:
        smallest = f" of at least {_SMALLEST_RSA_BITS} bits" if algorithm == "RS256" else " on P-256"
        raise InvalidKeySet(issuer, f"has no {_KEY_TYPES[algorithm]} key{smallest} for {algorithm}")
    return keys


def _fits(entry: dict[str, Any], algorithm: Algorithm) -> bool:
    """Whether a key says that it is for signatures of an algorithm, or does not say otherwise."""
    return (
        entry.get("kty") == _KEY_TYPES[algorithm]
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", algorithm) == algorithm
        and (algorithm != "ES256" or entry.get("crv") == "P-256")
    )
