"""What a gateway knows of the API keys: a copy of the store, taken again and again."""

from __future__ import annotations

import time
from collections.abc import Callable

from deployments.access.caller import Caller
from deployments.access.errors import AccessUnavailable, Unauthenticated
from deployments.access.key_store import KeyStore

INVALID_KEY = "the API key is not known here, has expired or was revoked"


class KnownKeys:
    """The keys of a store, looked up without asking it.

    Args:
        store: Read by ``refresh`` only.
        trust_seconds: For how long a copy counts.
        now: Seconds since 1970: keys expire by the calendar.
        clock: Seconds that only rise: the age of the copy is not a matter of the calendar.
    """

    def __init__(
        self,
        store: KeyStore,
        trust_seconds: float,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._trust_seconds = store, trust_seconds
        self._now, self._clock = now, clock
        self._by_digest: dict[bytes, tuple[Caller, float]] = {}
        self._revision: int | None = None
        self._read_at: float | None = None

    @property
    def age_seconds(self) -> float | None:
        """How old the copy is; None before the first."""
        return None if self._read_at is None else self._clock() - self._read_at

    def refresh(self) -> None:
        """Take a new copy if the store has changed. Blocks: for a thread of its own.

        Raises:
            StoreUnavailable: The store does not answer; the last copy stays.
        """
        began = self._clock()
        # Before the keys: a change in between is read again next time, never missed.
        revision = self._store.revision()
        if revision != self._revision:
            # No clock decides here: what is left out is not read again before another key changes.
            self._by_digest = {
                key.digest: (Caller.with_role(key.name, key.role, f"key:{key.key_id}"), key.expires.timestamp())
                for key in self._store.read()
                if key.revoked is None
            }
            self._revision = revision
        self._read_at = began

    def caller(self, digest: bytes) -> Caller:
        """Whose key it is.

        Raises:
            Unauthenticated: Nobody's, or no longer.
            AccessUnavailable: There is no copy of the keys that can be trusted.
        """
        if self._read_at is None:
            raise AccessUnavailable("the API keys were not read yet")
        if self._clock() - self._read_at > self._trust_seconds:
            raise AccessUnavailable("the store of API keys has not answered for too long")
        found = self._by_digest.get(digest)
        if found is None or self._now() >= found[1]:
            raise Unauthenticated(INVALID_KEY)
        return found[0]
