"""An answer leaves in one write: its head never goes out without its body.

uvicorn writes head and body apart. A gateway that is killed between the two leaves a caller with half an answer,
which nobody can repeat for it: HAProxy retries only what has not begun. Two writes also cost a second round of
system calls here, in HAProxy and at the caller.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http import httptools_impl

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

_Cycle = httptools_impl.RequestResponseCycle


class _Gathering:
    """Stands for a transport while a head and its body are written; closes only after both are out."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def close(self) -> None:
        self.closed = True


class WholeResponseCycle(_Cycle):
    """uvicorn's cycle of one request, that keeps the head until the first part of the body is there."""

    _head: ASGISendEvent | None = None

    async def send(self, message: ASGISendEvent) -> None:
        """Take one ASGI message of the answer."""
        if message["type"] == "http.response.start" and not self.response_started:
            self._head = message
            return
        if self._head is None:
            await super().send(message)
            return
        head, self._head = self._head, None
        transport, gathering = self.transport, _Gathering()
        self.transport = cast(asyncio.Transport, gathering)
        try:
            await super().send(head)
            await super().send(message)
        finally:
            self.transport = transport
            transport.write(b"".join(gathering.pieces))
            if gathering.closed:
                transport.close()


def install() -> None:
    """Let every uvicorn server of this process answer whole; doing it twice is doing it once."""
    module: Any = httptools_impl
    module.RequestResponseCycle = WholeResponseCycle
