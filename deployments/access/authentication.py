"""From the headers of a request to its caller."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from hashlib import sha256
from typing import Protocol

from deployments.access.caller import Caller
from deployments.access.errors import Unauthenticated
from deployments.access.known_keys import KnownKeys

Headers = Iterable[tuple[bytes, bytes]]

_NONE_GIVEN = "send an API key or a token: 'Authorization: Bearer ...' or 'X-API-Key: ...'"
_SEVERAL_GIVEN = "send one credential, not several"
_UNKNOWN_SCHEME = "the Authorization header must be 'Bearer' and an API key or a token"
_NOT_BASIC = "the Authorization header must be 'Basic' and a user name and a password in base64"


class TokenReader(Protocol):
    """Who presents a JSON web token."""

    def caller(self, token: bytes) -> Caller:
        """The token's caller.

        Raises:
            Unauthenticated: The token is not valid.
        """
        ...


class Authenticator:
    """Says who sends a request, from its headers alone; never waits for anything.

    Args:
        keys: API keys.
        tokens: JSON web tokens; None if nobody's are accepted.
    """

    def __init__(self, keys: KnownKeys, tokens: TokenReader | None = None) -> None:
        self._keys, self._tokens = keys, tokens

    def authenticate(self, headers: Headers, in_browser: bool = False) -> Caller:
        """The caller of a request.

        Args:
            headers: Of the ASGI scope: names in lower case.
            in_browser: Whether a password that a browser asked a person for is taken as the credential, too. Never
                where something is changed: a browser sends it along with what a foreign page makes it ask.

        Raises:
            Unauthenticated: There is no credential, or not exactly one, or it is not valid.
            AccessUnavailable: The keys are not known now.
        """
        credential = None
        for name, value in headers:
            if name == b"x-api-key":
                given = value
            elif name == b"authorization":
                given = _password(value) if in_browser and _scheme(value) == b"basic" else _bearer(value)
            else:
                continue
            if credential is not None:
                raise Unauthenticated(_SEVERAL_GIVEN)
            credential = given
        if not credential:
            raise Unauthenticated(_NONE_GIVEN)
        if credential.startswith(b"rg_") or self._tokens is None:
            return self._keys.caller(sha256(credential).digest())
        return self._tokens.caller(credential)


def _scheme(value: bytes) -> bytes:
    return value.partition(b" ")[0].lower()


def _bearer(value: bytes) -> bytes:
    if _scheme(value) != b"bearer":
        raise Unauthenticated(_UNKNOWN_SCHEME)
    return value[7:].strip()


def _password(value: bytes) -> bytes:
    """The second half of HTTP's Basic scheme, whatever user name stands before it."""
    try:
        return base64.b64decode(value[6:].strip(), validate=True).partition(b":")[2]
    except binascii.Error:
        raise Unauthenticated(_NOT_BASIC) from None
