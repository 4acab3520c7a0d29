"""The life of an API key: created, rotated, revoked. Each step is in the audit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from deployments.access import api_key
from deployments.access.api_key import MintedKey
from deployments.access.audit import Action, AuditEvent
from deployments.access.errors import InvalidCallerName, InvalidLifetime
from deployments.access.key_store import ApiKey, KeyStore, find
from deployments.access.roles import Role

LIFETIME = timedelta(days=30)
LONGEST_LIFETIME = timedelta(days=366)
OVERLAP = timedelta(hours=24)
_NAME = re.compile(r"[a-z0-9]([-_.a-z0-9]{0,62}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes keys.

    Attributes:
        name: A caller's name, or ``<user>@<host>``.
        credential: ``key:<key id>``, ``token:<issuer>`` or ``command-line``.
    """

    name: str
    credential: str


def create(
    store: KeyStore, name: str, role: Role, actor: Actor, now: datetime, lifetime: timedelta = LIFETIME
) -> MintedKey:
    """A new key for a new caller.

    Raises:
        InvalidCallerName: The name is not lower-case letters, digits, hyphens, dots and underscores.
        InvalidLifetime: Longer than a year, or nothing.
        NameTaken: The caller has a live key: rotate it.
        StoreUnavailable: The store does not answer.
    """
    if not _NAME.fullmatch(name):
        raise InvalidCallerName(
            name, "at most 64 lower-case letters, digits and, inside, hyphens, dots, underscores"
        )
    _check_lifetime(lifetime)
    minted = api_key.mint()
    key = ApiKey(minted.key_id, name, role, minted.digest, created=now, expires=now + lifetime)
    detail = {"name": name, "role": role.value, "expires": key.expires.isoformat()}
    store.add(key, _event(Action.KEY_CREATED, key.key_id, actor, now, detail))
    return minted


def rotate(
    store: KeyStore,
    key_id: str,
    actor: Actor,
    now: datetime,
    overlap: timedelta = OVERLAP,
    lifetime: timedelta = LIFETIME,
) -> MintedKey:
    """A new key for the same caller and role; the old one is valid for the overlap yet.

    Raises:
        InvalidLifetime: The overlap is negative, or one of the two longer than a year, or the lifetime nothing.
        UnknownKey: There is no such key.
        KeyNotLive: It has expired or was revoked.
        StoreUnavailable: The store does not answer.
    """
    _check_lifetime(lifetime)
    if not timedelta(0) <= overlap <= LONGEST_LIFETIME:
        raise InvalidLifetime("overlap", str(overlap), f"from nothing to {LONGEST_LIFETIME.days} days")
    old = find(store.read(), key_id)
    minted = api_key.mint()
    successor = ApiKey(minted.key_id, old.name, old.role, minted.digest, created=now, expires=now + lifetime)
    detail = {"name": old.name, "successor": minted.key_id, "old_valid_until": (now + overlap).isoformat()}
    store.succeed(key_id, successor, now + overlap, _event(Action.KEY_ROTATED, key_id, actor, now, detail))
    return minted


def revoke(store: KeyStore, key_id: str, actor: Actor, now: datetime) -> None:
    """Take a key back: gateways refuse it after their next refresh.

    Raises:
        UnknownKey: There is no such key.
        StoreUnavailable: The store does not answer.
    """
    store.revoke(key_id, now, _event(Action.KEY_REVOKED, key_id, actor, now, {}))


def _check_lifetime(lifetime: timedelta) -> None:
    if not timedelta(0) < lifetime <= LONGEST_LIFETIME:
        expected = f"more than nothing and at most {LONGEST_LIFETIME.days} days"
        raise InvalidLifetime("lifetime", str(lifetime), expected)


def _event(action: Action, key_id: str, actor: Actor, now: datetime, detail: Mapping[str, object]) -> AuditEvent:
    return AuditEvent(now, actor.name, actor.credential, action, f"key/{key_id}", detail=detail)
