"""What can be wrong with a result cache's configuration. A cache that fails at work is no error: it misses."""

from __future__ import annotations

from deployments.contracts.errors import RaygateError


class InvalidCacheUri(RaygateError):
    """The URI of a result cache names no kind of store that is known, or cannot be read."""

    def __init__(self, scheme: str, reason: str) -> None:
        super().__init__(scheme, reason)
        self.scheme, self.reason = scheme, reason

    def __str__(self) -> str:
        # The scheme alone: the rest of the URI may hold a password.
        return (
            f"cache URI {self.scheme}:...: {self.reason}; "
            "write memory:, redis://host:port/db, rediss://host:port/db or unix:///path/to/socket"
        )
