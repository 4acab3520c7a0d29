"""A record of the input topic, and what goes out for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

TOO_LARGE = "RECORD_TOO_LARGE"
"""Code of a record whose result, or which itself, is larger than the brokers take."""


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read.

    Attributes:
        partition: Where it stood.
        offset: Its place there.
        key: Records with the same key keep their order; None has none to keep.
        value: Bytes of the document; None in a tombstone.
        created: Unix time in seconds that it carries; 0 if it carries none.
    """

    partition: Partition
    offset: int
    key: bytes | None
    value: bytes | None
    created: float

    @property
    def source(self) -> str:
        """Names the record: ``topic/partition/offset``."""
        return f"{self.partition.topic}/{self.partition.number}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is written for a record.

    Attributes:
        topic: Where to.
        value: Its bytes.
        source: The record that it is for.
        code: Why the record is rejected; empty for a result.
        reason: The same for people; names fields and limits.
    """

    topic: str
    value: bytes | None
    source: str
    code: str = ""
    reason: str = ""

    @property
    def headers(self) -> list[tuple[str, str | bytes | None]]:
        """Names and values of the headers that are written with it."""
        headers = {"raygate-source": self.source, "raygate-code": self.code, "raygate-reason": self.reason}
        return [(name, text.encode()) for name, text in headers.items() if text]

    def too_large(self, rejected: str) -> Outgoing:
        """What goes out in its place when the brokers take nothing of its size.

        Args:
            rejected: Topic for it.
        """
        reason = f"what was to be written to {self.topic} is larger than the brokers take"
        return replace(self, topic=rejected, value=None, code=TOO_LARGE, reason=reason)


def unit_of(key: bytes) -> str:
    """A key as the text of a header: itself, or its bytes in hexadecimal where a header cannot hold it.

    >>> unit_of(b"ada"), unit_of(bytes([97, 10]))
    ('ada', '610a')
    """
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return key.hex()
    return text if text.isprintable() and text == text.strip() else key.hex()
