"""The body of a request that predicts, by the same rules whatever the protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from deployments.contracts.errors import BodyTooLarge, MalformedRequest, RaygateError
from deployments.gateway.row_validation import shown_name

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

BODY_SECONDS = 30.0
"""The largest body that an endpoint may take (3 MB) needs 0.8 Mbit/s for it."""


class BodyTooSlow(RaygateError):
    """A request body did not arrive in time; no model was asked."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"the body must be there within {self.seconds:g} s"


class Bodies:
    """Reads bodies, and gives up on those that do not come; belongs to one event loop.

    One timer looks after all of them: an ``asyncio.timeout`` each takes a sixth of the hot path's time.

    Args:
        seconds: In which a body must be there: who sends slowly must not hold a place for ever.
    """

    def __init__(self, seconds: float = BODY_SECONDS) -> None:
        self._seconds = seconds
        self._coming: dict[asyncio.Task[Any], float] = {}  # the oldest first
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def read(self, scope: Scope, receive: Receive, limit: int) -> bytes | None:
        """The whole body, or None if the client left.

        Args:
            scope: Of the request.
            receive: Gives its messages.
            limit: Bytes that it may have.

        Raises:
            BodyTooLarge: It has more bytes than the limit; said before it is read, if the client said its length.
            BodyTooSlow: It is not there in time.
            MalformedRequest: It is compressed.
        """
        for name, value in scope["headers"]:
            # A length of twelve digits is too large without a look at its value.
            if name == b"content-length" and value.isdigit() and (len(value) > 12 or int(value) > limit):
                raise BodyTooLarge(limit)
            if name == b"content-encoding" and value.lower() != b"identity":
                shown = shown_name(value.decode("latin-1"))
                raise MalformedRequest(f"content-encoding {shown} is not accepted; send the body as it is")
        reader = self._watched()
        try:
            return await _received(receive, limit)
        except asyncio.CancelledError:
            if reader in self._late and not reader.uncancel():  # nobody else wants it to end
                raise BodyTooSlow(self._seconds) from None
            raise
        finally:
            self._coming.pop(reader, None)
            self._late.discard(reader)

    def _watched(self) -> asyncio.Task[Any]:
        reader, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert reader is not None
        self._coming[reader] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._give_up)
        return reader

    def _give_up(self) -> None:
        """End the waiting for bodies that are late, and look again when the next one would be."""
        loop, self._timer = asyncio.get_running_loop(), None
        for reader, began in list(self._coming.items()):
            if began + self._seconds > loop.time():
                self._timer = loop.call_at(began + self._seconds, self._give_up)
                return
            del self._coming[reader]
            self._late.add(reader)
            reader.cancel()


async def _received(receive: Receive, limit: int) -> bytes | None:
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise BodyTooLarge(limit)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
