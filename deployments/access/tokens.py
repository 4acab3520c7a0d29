"""From a JSON web token (RFC 7519) to its caller."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from deployments.access.caller import Caller
from deployments.access.errors import Unauthenticated
from deployments.access.policy import TokenIssuer
from deployments.access.roles import Role

if TYPE_CHECKING:
    from jwt import PyJWK

LARGEST_TOKEN_BYTES = 8192
REMEMBERED_TOKENS = 10_000
_LONGEST_SUBJECT = 200
_INVALID = "the token is not valid"


class VerificationKeys(Protocol):
    """Keys of one issuer."""

    def find(self, key_id: str | None) -> PyJWK | bytes | None:
        """The key that a token's header names; None if there is none."""
        ...


class SharedSecret:
    """The key of an HS256 issuer: always the same."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def find(self, key_id: str | None) -> bytes:
        """The secret."""
        return self._secret


class Tokens:
    """Verifies tokens, and remembers those that it has verified until they expire.

    The issuer is chosen by the ``iss`` that the token claims, and then decides alone about key and algorithm. What
    the header says of an algorithm is only compared: neither ``none`` nor a public key taken for a shared secret
    leads anywhere.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._issuers: dict[str, tuple[TokenIssuer, VerificationKeys]] = {}
        self._verified: dict[bytes, tuple[Caller, float]] = {}

    def accept(self, issuer: TokenIssuer, keys: VerificationKeys) -> None:
        """Accept an issuer's tokens from now on."""
        self._issuers[issuer.issuer] = (issuer, keys)

    def forget(self) -> None:
        """Verify every token anew: keys have changed."""
        self._verified = {}

    def caller(self, token: bytes) -> Caller:
        """The token's caller.

        Raises:
            Unauthenticated: The token is not valid; the reason says what a caller can mend.
            AccessUnavailable: The issuer's keys are not known now.
        """
        digest = sha256(token).digest()
        found = self._verified.get(digest)
        if found is not None and self._now() < found[1]:
            return found[0]
        # Taken before: a token that was verified with keys just withdrawn lands in what is forgotten.
        verified = self._verified
        caller, expires = self._verify(token)
        while len(verified) >= REMEMBERED_TOKENS:
            verified.pop(next(iter(verified)), None)
        verified[digest] = (caller, expires)
        return caller

    def _verify(self, token: bytes) -> tuple[Caller, float]:
        import jwt  # here, because gateways without issuers need neither it nor cryptography

        if len(token) > LARGEST_TOKEN_BYTES:
            raise Unauthenticated(f"a token may have at most {LARGEST_TOKEN_BYTES} bytes")
        try:
            header = jwt.get_unverified_header(token)
            claimed = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise Unauthenticated("the credential is neither an API key nor a token") from error
        known = self._issuers.get(claimed) if isinstance(claimed, str) else None
        if known is None:
            raise Unauthenticated("tokens of this issuer are not accepted here")
        issuer, keys = known
        key = keys.find(header.get("kid"))
        if key is None:
            raise Unauthenticated("the token names a signing key that its issuer does not publish, or not yet")
        claims = _verified_claims(token, issuer, key)
        caller = Caller.with_role(_name(claims, issuer), _role(claims, issuer), f"token:{issuer.name}")
        return caller, float(claims["exp"]) + issuer.leeway_seconds


def _verified_claims(token: bytes, issuer: TokenIssuer, key: PyJWK | bytes) -> dict[str, Any]:
    import jwt

    required = ["exp", "iss", "aud", "sub", *(["nbf"] if issuer.require_not_before else [])]
    try:
        return jwt.decode(
            token,
            key,
            algorithms=[issuer.algorithm],
            audience=issuer.audiences,
            issuer=issuer.issuer,
            leeway=issuer.leeway_seconds,
            options={"require": required},
        )
    except jwt.ExpiredSignatureError as error:
        raise Unauthenticated("the token has expired") from error
    except jwt.ImmatureSignatureError as error:
        raise Unauthenticated("the token is not valid yet") from error
    except jwt.InvalidAudienceError as error:
        raise Unauthenticated("the token is meant for another audience") from error
    except jwt.MissingRequiredClaimError as error:
        raise Unauthenticated(f"the token lacks the claim {error.claim}") from error
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Unauthenticated(_INVALID) from error


def _name(claims: Mapping[str, Any], issuer: TokenIssuer) -> str:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise Unauthenticated(f"the token's subject must be at most {_LONGEST_SUBJECT} printable characters")
    return f"{issuer.name}:{subject}"


def _role(claims: Mapping[str, Any], issuer: TokenIssuer) -> Role:
    found = _claim(claims, issuer.role_claim)
    held = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    for value, role in issuer.roles.items():
        if value in held:
            return role
    raise Unauthenticated(f"the token's claim {issuer.role_claim} names no role that is known here")


def _claim(claims: Mapping[str, Any], name: str) -> object:
    """A claim by its name, which may have dots in it, or by a path of names."""
    if name in claims:
        return claims[name]
    value: object = claims
    for step in name.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
