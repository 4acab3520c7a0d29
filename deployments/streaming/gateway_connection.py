"""How a stream's requests reach the gateway: over HTTP, from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import aiohttp

ANSWER_SECONDS = 30.0


class Answer(NamedTuple):
    """What came back.

    Attributes:
        status: Of HTTP; 0 where no answer came.
        body: The whole of it.
        retry_after: Seconds that the gateway asks to be left alone for, if it does.
    """

    status: int
    body: bytes
    retry_after: float | None


NO_ANSWER = Answer(0, b"", None)


class GatewayConnection(Protocol):
    """Sends requests to the gateway.

    Attributes:
        where: The gateway, for people.
    """

    where: str

    async def ask(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to a POST request; ``NO_ANSWER`` where none came."""


class HttpConnection:
    """Over HTTP, a request for each record.

    Args:
        url: Base URL of the gateway.
        session: Keeps connections.
    """

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.where, self._session = url, session

    async def ask(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """See GatewayConnection."""
        import aiohttp

        try:
            timeout = aiohttp.ClientTimeout(ANSWER_SECONDS)
            url = self.where + path
            async with self._session.post(url, data=body, headers=headers, timeout=timeout) as response:
                content = await response.read()
                return Answer(response.status, content, seconds(response.headers.get("retry-after", "")))
        except (aiohttp.ClientError, TimeoutError, OSError):
            return NO_ANSWER


def seconds(text: str) -> float | None:
    """What a ``Retry-After`` header says, if it is a number.

    >>> seconds("2"), seconds(""), seconds("Wed, 21 Oct 2026 07:28:00 GMT")
    (2.0, None, None)
    """
    return float(text) if text.isdecimal() else None
