"""One request on a connection, from its head to the end of its answer: what uvicorn and Serve do, and what not.

A request that predicts goes to the gateway at once. Serve would wrap it in metrics, contexts and two ids of its
own, a third of the gateway's time; what they tell, the gateway counts itself. A replica that stops waits for such
requests all the same: uvicorn's server ends after the last of them.

An answer leaves in one write: its head never goes out without the first part of its body. uvicorn writes the two
apart. A gateway that is killed between them leaves a caller with half an answer, which nobody can repeat for it:
HAProxy retries only what has not begun. Two writes also cost a second round of system calls here, in HAProxy and
at the caller.

A request ends when its caller leaves. Serve would watch for that with a task of its own, a queue and a task around
the answer, another tenth; here the connection tells the one task that there is. Of several requests that a caller
sent at once, without waiting, only the last is told; the others run to their end.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from uvicorn.protocols.http import httptools_impl

from deployments.logs import request_id

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application, ASGISendEvent

    from deployments.gateway.asgi import HotPath
    from deployments.gateway.body import Scope

_Cycle = httptools_impl.RequestResponseCycle
_UNWATCHED = ((b"x-request-disconnect-disabled", b"?1"), (b"x-request-timeout-seconds", b"0"))
"""Serve is not to watch for callers that leave, nor for a deadline that a caller names: for either it answers in a
task apart, which would go on when this one ends. It reads the last header of a name: no caller's own."""


@dataclass(frozen=True, slots=True)
class ShortWay:
    """Where requests that predict go at once.

    Attributes:
        application: Takes them.
        loop: Its event loop; a server on another one goes by Serve, which knows the way.
    """

    application: HotPath
    loop: asyncio.AbstractEventLoop

    def leads(self, scope: Scope) -> bool:
        """Whether a request of the running loop may go this way."""
        return self.application.takes(scope) and asyncio.get_running_loop() is self.loop


class _Gathering:
    """Stands for a transport while a head and its body are written; both go out together, or before it closes."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._pieces.append(data)

    def flush(self) -> None:
        if self._pieces:  # else the caller has left: uvloop raises at a write to what is closed
            self._transport.write(b"".join(self._pieces))
            self._pieces.clear()

    def close(self) -> None:
        self.flush()
        self._transport.close()  # now: uvicorn asks next whether another request of the connection may begin


class GatewayCycle(_Cycle):
    """uvicorn's cycle of one request, with a short way, whole answers and an early end."""

    short_way: ClassVar[ShortWay | None] = None
    _head: ASGISendEvent | None = None
    _task: asyncio.Task[None] | None = None
    _has_left = False

    async def run_asgi(self, app: ASGI3Application) -> None:
        """Answer the request."""
        self._task = asyncio.current_task()
        if self.short_way is not None and self.short_way.leads(cast("Scope", self.scope)):
            self.default_headers = [*self.default_headers, self._own_id()]
            await super().run_asgi(cast("ASGI3Application", self.short_way.application))
        else:
            self.scope["headers"] = [*self.scope["headers"], *_UNWATCHED]
            await super().run_asgi(app)

    def _own_id(self) -> tuple[bytes, bytes]:
        """The header by which a caller finds the request again: its own or a new one, as Serve gives to others."""
        headers = list(self.scope["headers"])
        known = next((header for header in headers if header[0] == request_id.HEADER), None)
        if known is not None:
            return known
        self.scope["headers"] = [*headers, made := (request_id.HEADER, request_id.new())]
        return made

    @property
    def disconnected(self) -> bool:
        """Whether the caller has left before the answer was complete; uvicorn sets it."""
        return self._has_left

    @disconnected.setter
    def disconnected(self, has_left: bool) -> None:
        self._has_left = has_left
        if has_left and self._task is not None:
            self._task.cancel()

    async def send(self, message: ASGISendEvent) -> None:
        """Take one ASGI message of the answer."""
        if message["type"] == "http.response.start" and not self.response_started:
            self._head = message
            return
        if self._head is None:
            await super().send(message)
            return
        head, self._head = self._head, None
        transport, gathering = self.transport, _Gathering(self.transport)
        self.transport = cast(asyncio.Transport, gathering)
        try:
            await super().send(head)
            await super().send(message)
            gathering.flush()
        finally:
            self.transport = transport


def install(short_way: ShortWay | None = None) -> None:
    """Let every uvicorn server of this process work so; a second time only changes the short way."""
    module: Any = httptools_impl
    module.RequestResponseCycle = GatewayCycle
    GatewayCycle.short_way = short_way
