"""Issuers of a policy made ready: their keys found, or kept up to date in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from deployments.access.background import Repeating
from deployments.access.errors import InvalidSecret
from deployments.access.policy import TokenIssuer
from deployments.access.signing_keys import READ_SECONDS, SHORTEST_PAUSE_SECONDS, Fetch, SigningKeys
from deployments.access.tokens import SharedSecret, Tokens
from deployments.contracts.secret_reference import resolve

_SMALLEST_SECRET_BYTES = 32  # RFC 7518, 3.2: at least as long as the hash


def accept_issuers(
    issuers: Iterable[TokenIssuer], fetch: Fetch, now: Callable[[], float]
) -> tuple[Tokens, tuple[Repeating, ...]]:
    """A reader of the issuers' tokens, and what must run to keep their key sets.

    Args:
        issuers: Whose tokens are accepted.
        fetch: Reads their key sets.
        now: Seconds since 1970.

    Raises:
        SecretUnavailable: A shared secret is not there.
        InvalidSecret: It is too short.
    """
    tokens, background = Tokens(now), []
    for issuer in issuers:
        if issuer.key_set is None:
            tokens.accept(issuer, SharedSecret(_secret(issuer)))
        else:
            keys = SigningKeys(issuer.name, issuer.key_set, issuer.algorithm, tokens.forget, fetch)
            reading = Repeating(
                f"reading keys of the issuer {issuer.name}", keys.read, READ_SECONDS, SHORTEST_PAUSE_SECONDS
            )
            keys.on_unknown_key(reading.wake)
            tokens.accept(issuer, keys)
            background.append(reading)
    return tokens, tuple(background)


def _secret(issuer: TokenIssuer) -> bytes:
    reference = issuer.secret or ""
    secret = resolve(reference).encode()
    if len(secret) < _SMALLEST_SECRET_BYTES:
        raise InvalidSecret(reference, f"has {len(secret)} bytes; HS256 takes at least {_SMALLEST_SECRET_BYTES}")
    return secret
