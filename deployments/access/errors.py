"""What access control refuses, by name. None of these carries a credential or a part of one."""

from __future__ import annotations

from deployments.contracts.errors import RaygateError


class Unauthenticated(RaygateError):
    """A request has no credential, or one that is not valid. The reason is fit for the caller.

    Attributes:
        in_browser: Whether it is a person's browser that may ask for a key.
    """

    def __init__(self, reason: str, in_browser: bool = False) -> None:
        super().__init__(reason, in_browser)
        self.reason, self.in_browser = reason, in_browser

    def __str__(self) -> str:
        return self.reason


class Forbidden(RaygateError):
    """The caller's role does not allow what was asked."""

    def __init__(self, caller: str, role: str, permission: str) -> None:
        super().__init__(caller, role, permission)
        self.caller, self.role, self.permission = caller, role, permission

    def __str__(self) -> str:
        return f"{self.caller} has the role {self.role}, which may not {self.permission}"


class UnlistedRoute(RaygateError):
    """The table of routes does not know the path, or not with this method; nobody may use it.

    Attributes:
        methods: Those that the path is known with; empty for an unknown path.
    """

    def __init__(self, method: str, path: str, methods: tuple[str, ...]) -> None:
        super().__init__(method, path, methods)
        self.method, self.path, self.methods = method, path, methods

    def __str__(self) -> str:
        if not self.methods:
            return "no such path"
        return f"this path takes {', '.join(self.methods)}"


class RateLimited(RaygateError):
    """A caller sent more requests than it may.

    Attributes:
        requests_per_second: What it may, at this gateway.
        retry_after_seconds: When the next one will be taken.
    """

    def __init__(self, caller: str, requests_per_second: float, retry_after_seconds: float) -> None:
        super().__init__(caller, requests_per_second, retry_after_seconds)
        self.caller, self.requests_per_second = caller, requests_per_second
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        return f"{self.caller} may send {self.requests_per_second:g} requests a second here"


class QuotaExceeded(RaygateError):
    """A caller's rows of the day are used up, or the request has more than are left.

    Attributes:
        rows_per_day: What it may, at this gateway.
        left: Rows that are left today.
        retry_after_seconds: Until the next day begins, in UTC.
    """

    def __init__(self, caller: str, rows_per_day: int, left: int, retry_after_seconds: float) -> None:
        super().__init__(caller, rows_per_day, left, retry_after_seconds)
        self.caller, self.rows_per_day, self.left = caller, rows_per_day, left
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        return f"{self.caller} may send {self.rows_per_day} rows a day here; {self.left} are left until 00:00 UTC"


class AccessUnavailable(RaygateError):
    """Nobody can be authenticated now: the keys were never read, or so long ago that they may be revoked."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class StoreUnavailable(RaygateError):
    """The store of keys and audit does not answer, or has no tables yet."""

    def __init__(self, store: str, reason: str) -> None:
        super().__init__(store, reason)
        self.store, self.reason = store, reason

    def __str__(self) -> str:
        return f"the store {self.store} does not answer: {self.reason}"


class UnknownKey(RaygateError):
    """No API key has this id."""

    def __init__(self, key_id: str) -> None:
        super().__init__(key_id)
        self.key_id = key_id

    def __str__(self) -> str:
        return f"no API key has the id {self.key_id}; `raygate keys list --all` shows every id"


class KeyNotLive(RaygateError):
    """An API key that is to be rotated has expired or was revoked."""

    def __init__(self, key_id: str, state: str) -> None:
        super().__init__(key_id, state)
        self.key_id, self.state = key_id, state

    def __str__(self) -> str:
        return f"API key {self.key_id} is {self.state}; create another one"


class NameTaken(RaygateError):
    """A caller of this name has a live API key already."""

    def __init__(self, name: str, key_id: str) -> None:
        super().__init__(name, key_id)
        self.name, self.key_id = name, key_id

    def __str__(self) -> str:
        return f"{self.name} has the live API key {self.key_id}; rotate it, revoke it, or choose another name"


class InvalidCallerName(RaygateError):
    """A text cannot be the name of a caller."""

    def __init__(self, name: str, expected: str) -> None:
        super().__init__(name, expected)
        self.name, self.expected = name, expected

    def __str__(self) -> str:
        return f"name {self.name!r} must be {self.expected}"


class InvalidLifetime(RaygateError):
    """A key would live too long, or not at all."""

    def __init__(self, field: str, value: str, expected: str) -> None:
        super().__init__(field, value, expected)
        self.field, self.value, self.expected = field, value, expected

    def __str__(self) -> str:
        return f"{self.field} {self.value} must be {self.expected}"


class InvalidSecret(RaygateError):
    """A secret is there, but cannot be used. Never carries the secret itself."""

    def __init__(self, reference: str, reason: str) -> None:
        super().__init__(reference, reason)
        self.reference, self.reason = reference, reason

    def __str__(self) -> str:
        return f"the secret {self.reference} {self.reason}"


class InvalidKeySet(RaygateError):
    """Keys of a token issuer cannot be read, or hold nothing that may verify a token."""

    def __init__(self, issuer: str, reason: str) -> None:
        super().__init__(issuer, reason)
        self.issuer, self.reason = issuer, reason

    def __str__(self) -> str:
        return f"keys of the issuer {self.issuer}: {self.reason}"
