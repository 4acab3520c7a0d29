"""Sources that keep their past: what is read can be named, and read again."""

from __future__ import annotations

from typing import Any, Protocol, Self, runtime_checkable


@runtime_checkable
class VersionedSource(Protocol):
    """A source that can give the rows of an earlier day."""

    def pinned(self) -> Self:
        """Return the source with the version that is current now in place of "the latest".

        Raises:
            SourceUnavailable: There is no such version.
        """
        ...

    @property
    def data_version(self) -> str:
        """Which rows a pinned source gives, for people."""
        ...


def pin(source: Any) -> tuple[Any, str]:
    """Return a source that gives the same rows whenever it is read, and their version; empty if it has none.

    Pinned before it is read: a table that changes meanwhile would be recorded as what it was not.

    Raises:
        SourceUnavailable: There is no such version.
    """
    if not isinstance(source, VersionedSource):
        return source, ""
    pinned = source.pinned()
    return pinned, pinned.data_version
