"""Which request a line of the log belongs to.

A request that has no ``x-request-id`` is given one, and it goes back with the answer: whoever has an answer finds
its lines.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from contextvars import ContextVar

HEADER = b"x-request-id"
LONGEST = 128
"""Of a caller's own id no more is repeated."""

_headers: ContextVar[Iterable[tuple[bytes, bytes]]] = ContextVar("raygate_request_headers", default=())


def new() -> bytes:
    """An id for a request that came without one; it guards nothing, so it need not be hard to guess."""
    return b"%032x" % random.getrandbits(128)


def begin(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Let every line of this task belong to the request with these headers, names in lower case.

    Nothing is looked for yet: few requests are written about.
    """
    _headers.set(headers)


def current() -> str:
    """The id of the request that this task answers; empty where it answers none."""
    found = next((value for name, value in _headers.get() if name == HEADER), b"")
    return found[:LONGEST].decode("latin-1")
