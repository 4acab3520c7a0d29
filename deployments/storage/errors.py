"""What can go wrong with a place of files, by name. Written so that it survives pickling between processes."""

from __future__ import annotations

from deployments.contracts.errors import RaygateError


class InvalidLocation(RaygateError):
    """A text does not say where files are."""

    def __init__(self, location: str, expected: str) -> None:
        super().__init__(location, expected)
        self.location, self.expected = location, expected

    def __str__(self) -> str:
        return f"location {self.location!r}: {self.expected}"


class StorageUnreachable(RaygateError):
    """A place of files cannot be read or written."""

    def __init__(self, location: str, reason: str) -> None:
        super().__init__(location, reason)
        self.location, self.reason = location, reason

    def __str__(self) -> str:
        return f"{self.location}: {self.reason}"
