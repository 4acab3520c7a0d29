"""Access control as a gateway replica owns it: one object to ask, its threads behind it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from deployments.access.audit import AuditEvent, AuditLog
from deployments.access.audit_buffer import AuditBuffer
from deployments.access.authentication import Authenticator, Headers
from deployments.access.background import Repeating
from deployments.access.caller import ANONYMOUS, Caller
from deployments.access.errors import AccessUnavailable, Unauthenticated
from deployments.access.issuers import accept_issuers
from deployments.access.key_store import KeyStore
from deployments.access.known_keys import KnownKeys
from deployments.access.limits import RateLimits, RowQuotas
from deployments.access.policy import AccessPolicy, CallLimits, Mode
from deployments.access.refused_calls import TELL_SECONDS, RefusedCalls
from deployments.access.roles import Permission, Role
from deployments.access.routes import permission_for
from deployments.access.signing_keys import Fetch, fetch
from deployments.contracts.errors import RaygateError

LOCAL_ADMIN = Caller.with_role("local", Role.ADMIN, "")
"""Everybody, where authentication is switched off."""


class Identification(Protocol):
    """Says who sends a request."""

    def authenticate(self, headers: Headers, in_browser: bool = False) -> Caller:
        """The caller; see ``Authenticator.authenticate``."""
        ...


class Everybody:
    """Takes everybody for the admin of this machine."""

    def authenticate(self, headers: Headers, in_browser: bool = False) -> Caller:
        """The local admin, whatever the headers say."""
        return LOCAL_ADMIN


@dataclass(frozen=True, slots=True)
class AccessFigures:
    """What happened since the start.

    Attributes:
        refused: Requests by the error that refused them.
        keys_age_seconds: How old the copy of the API keys is; None before the first.
        audit_waiting: Audit events that the log has not taken yet.
    """

    refused: dict[type[RaygateError], int]
    keys_age_seconds: float | None
    audit_waiting: int


class Access:
    """Who may do what, and how much of it. Nothing here waits but ``start`` and ``close``.

    Args:
        identification: Who sends a request.
        limits: How much a caller may send.
        of_anybody: What needs no credential.
        keys: For figures.
        audit: Where administrative calls are recorded.
        background: What has to run meanwhile.
        now: Seconds since 1970: the day of a quota.
        clock: Seconds that only rise: the rate of a limit is not a matter of the calendar.
    """

    def __init__(
        self,
        identification: Identification,
        limits: CallLimits | None = None,
        of_anybody: Caller = ANONYMOUS,
        keys: KnownKeys | None = None,
        audit: AuditBuffer | None = None,
        background: tuple[Repeating, ...] = (),
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        limits = limits or CallLimits()
        self._identification, self._anonymous = identification, of_anybody
        self._rates, self._quotas = RateLimits(limits), RowQuotas(limits)
        self._keys, self._audit, self._background = keys, audit, background
        self._now, self._clock = now, clock
        self._refused: Counter[type[RaygateError]] = Counter()
        self._refused_calls = RefusedCalls(self.record, now)
        self._telling = Repeating("telling of refused calls", self._refused_calls.tell, TELL_SECONDS)

    @classmethod
    def open(cls, policy: AccessPolicy) -> Access:
        """Access control under a policy, on the store that it names. Connects to nothing before ``start``.

        Raises:
            SecretUnavailable: A secret that the policy refers to is not there.
            InvalidSecret: It is there and cannot be used.
        """
        if policy.mode is Mode.INSECURE_LOCAL:
            return cls.insecure_local()
        from deployments.access.stores import open_store  # here, because it loads SQLAlchemy

        store = open_store(policy.store)
        return cls.on(policy, store.keys, store.audit)

    @classmethod
    def on(
        cls,
        policy: AccessPolicy,
        store: KeyStore,
        log: AuditLog,
        fetch: Fetch = fetch,
        now: Callable[[], float] = time.time,
    ) -> Access:
        """Access control under a policy, on a given store.

        Args:
            policy: Who may what.
            store: Of keys.
            log: Where administrative calls are recorded.
            fetch: Reads the key sets of issuers.
            now: Seconds since 1970: what keys, tokens and the days of quotas end by.

        Raises:
            SecretUnavailable: A secret that the policy refers to is not there.
            InvalidSecret: It is there and cannot be used.
        """
        keys = KnownKeys(store, policy.trust_seconds, now)
        tokens, key_sets = accept_issuers(policy.issuers, fetch, now)
        refresh = Repeating("reading API keys", keys.refresh, policy.refresh_seconds)
        anonymous = ANONYMOUS
        if policy.open_documentation:
            anonymous = replace(ANONYMOUS, permissions=ANONYMOUS.permissions | {Permission.READ_DOCUMENTATION})
        return cls(
            Authenticator(keys, tokens if policy.issuers else None),
            policy.limits,
            anonymous,
            keys,
            AuditBuffer(log),
            (refresh, *key_sets),
            now,
        )

    @classmethod
    def insecure_local(cls) -> Access:
        """Everybody is an admin and nothing is limited: for one person on one machine."""
        return cls(Everybody())

    def start(self) -> None:
        """Read keys and begin to refresh them.

        Blocks for the first reading, a few seconds where a store does not answer; then requests are refused with
        AccessUnavailable until it does.
        """
        for work in self._background:
            work.attempt()
            work.start()
        if self._audit:
            self._audit.start()
            self._telling.start()

    def close(self) -> None:
        """End the threads; writes what the audit still holds."""
        for work in self._background:
            work.close()
        if self._audit:
            self._telling.close()
            self._refused_calls.tell()
            self._audit.close()

    def share_among(self, gateways: int) -> None:
        """Say how many gateways there are: this one grants its share of every limit."""
        self._rates.share_among(gateways)
        self._quotas.share_among(gateways)

    def admit(self, headers: Headers, permission: Permission, call: str = "") -> Caller:
        """Let a request in, or not: who it is, whether it may, whether it may now.

        Args:
            headers: Of the ASGI scope.
            permission: What it is about to do.
            call: Method and path, for the audit of a call that is refused.

        Returns:
            The caller; the anonymous one where a credential is neither needed nor valid.

        Raises:
            Unauthenticated: No valid credential.
            Forbidden: The caller's role does not allow it.
            RateLimited: Too many requests.
            AccessUnavailable: Nobody can be authenticated now.
        """
        in_browser = permission is Permission.READ_DOCUMENTATION
        try:
            if permission in self._anonymous.permissions:
                return self._whoever(headers)
            caller = self._identification.authenticate(headers, in_browser)
            if not caller.may(permission):
                self._refused_calls.note(caller, permission, call)
            caller.require(permission)
            self._rates.take(caller, self._clock())
        except RaygateError as error:
            self._refused[type(error)] += 1
            if in_browser and isinstance(error, Unauthenticated):
                raise Unauthenticated(error.reason, in_browser) from error
            raise
        return caller

    def admit_route(self, method: str, path: str, headers: Headers) -> Caller:
        """Let a request in by the table of routes.

        Raises:
            UnlistedRoute: The table does not have it.
            RaygateError: See ``admit``.
        """
        return self.admit(headers, permission_for(method, path), f"{method} {path}")

    def spend(self, caller: Caller, rows: int) -> None:
        """Count rows that are about to be predicted.

        Raises:
            QuotaExceeded: The caller's rows of the day do not suffice.
        """
        try:
            self._quotas.take(caller, rows, datetime.fromtimestamp(self._now(), UTC))
        except RaygateError as error:
            self._refused[type(error)] += 1
            raise

    def has_row_quota(self, caller: Caller) -> bool:
        """Whether a caller's rows are counted at all."""
        return self._quotas.limits(caller)

    def give_back(self, caller: Caller, rows: int) -> None:
        """Take rows that were spent, and not predicted after all, off the count."""
        self._quotas.give_back(caller, rows)

    def record(self, event: AuditEvent) -> None:
        """Put an administrative call into the audit; returns at once."""
        if self._audit:
            self._audit.record(event)

    def figures(self) -> AccessFigures:
        """What happened since the start, for metrics."""
        return AccessFigures(
            refused=dict(self._refused),
            keys_age_seconds=self._keys.age_seconds if self._keys else None,
            audit_waiting=self._audit.waiting if self._audit else 0,
        )

    def _whoever(self, headers: Headers) -> Caller:
        """A probe that carries an old key is still told whether the gateway lives."""
        try:
            return self._identification.authenticate(headers)
        except (Unauthenticated, AccessUnavailable):
            return self._anonymous
