"""API keys at rest: the port, and its double in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import Protocol

from deployments.access.audit import AuditEvent
from deployments.access.errors import KeyNotLive, NameTaken, UnknownKey
from deployments.access.roles import Role


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of an API key.

    Attributes:
        key_id: Names it; no secret.
        name: Of the caller that uses it. Keys of one name are one caller: a key and its successor.
        digest: SHA-256 of its text.
        expires: From then on it is refused.
        revoked: When it was taken back; None if it was not.
    """

    key_id: str
    name: str
    role: Role
    digest: bytes
    created: datetime
    expires: datetime
    revoked: datetime | None = None

    def state(self, now: datetime) -> str:
        """``live``, ``expired`` or ``revoked``: that at once, even by a clock that is behind the revoker's."""
        if self.revoked is not None:
            return "revoked"
        return "live" if now < self.expires else "expired"


class KeyStore(Protocol):
    """Where API keys are kept. Each change and its audit event are written together or not at all.

    Every method raises StoreUnavailable when the store does not answer.
    """

    def revision(self) -> int:
        """A number that rises with every change."""
        ...

    def read(self) -> tuple[ApiKey, ...]:
        """Every key that was ever created, the oldest first."""
        ...

    def add(self, key: ApiKey, event: AuditEvent) -> None:
        """Keep a new key.

        Raises:
            NameTaken: Its caller has a live key.
        """
        ...

    def succeed(self, key_id: str, successor: ApiKey, old_expires: datetime, event: AuditEvent) -> None:
        """Keep a new key in the place of another, which stays valid until ``old_expires`` at the latest.

        Raises:
            UnknownKey: There is no such key.
            KeyNotLive: It has expired or was revoked.
        """
        ...

    def revoke(self, key_id: str, at: datetime, event: AuditEvent) -> None:
        """Take a key back; one that was taken back already stays as it is.

        Raises:
            UnknownKey: There is no such key.
        """
        ...


def check_name_free(keys: Iterable[ApiKey], name: str, now: datetime) -> None:
    """Refuse a second live key of one caller.

    Raises:
        NameTaken: There is one.
    """
    for key in keys:
        if key.name == name and key.state(now) == "live":
            raise NameTaken(name, key.key_id)


def find(keys: Iterable[ApiKey], key_id: str) -> ApiKey:
    """The key of an id.

    Raises:
        UnknownKey: There is none.
    """
    for key in keys:
        if key.key_id == key_id:
            return key
    raise UnknownKey(key_id)


def check_live(key: ApiKey, now: datetime) -> None:
    """Refuse a key that can no longer be used.

    Raises:
        KeyNotLive: It has expired or was revoked.
    """
    if (state := key.state(now)) != "live":
        raise KeyNotLive(key.key_id, state)


class MemoryKeyStore:
    """A key store for tests and trials; forgets everything with the process.

    Attributes:
        events: The audit events of its changes.
    """

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}
        self._revision = 0
        self._lock = Lock()
        self.events: list[AuditEvent] = []

    def revision(self) -> int:
        """See KeyStore."""
        return self._revision

    def read(self) -> tuple[ApiKey, ...]:
        """See KeyStore."""
        with self._lock:
            return tuple(self._keys.values())

    def add(self, key: ApiKey, event: AuditEvent) -> None:
        """See KeyStore."""
        with self._lock:
            check_name_free(self._keys.values(), key.name, key.created)
            self._write((key,), event)

    def succeed(self, key_id: str, successor: ApiKey, old_expires: datetime, event: AuditEvent) -> None:
        """See KeyStore."""
        with self._lock:
            old = find(self._keys.values(), key_id)
            check_live(old, successor.created)
            self._write((replace(old, expires=min(old.expires, old_expires)), successor), event)

    def revoke(self, key_id: str, at: datetime, event: AuditEvent) -> None:
        """See KeyStore."""
        with self._lock:
            key = find(self._keys.values(), key_id)
            self._write((replace(key, revoked=key.revoked or at),), event)

    def _write(self, keys: Iterable[ApiKey], event: AuditEvent) -> None:
        self._keys |= {key.key_id: key for key in keys}
        self._revision += 1
        self.events.append(event)
