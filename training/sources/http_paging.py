"""How an HTTP API divides a list into pages, one way a class."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field

from training.sources import records

Next = dict[str, str | int] | httpx.URL | None
"""Parameters of the next request, or its address, or None after the last page."""


class _Paging(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PageNumbers(_Paging):
    """``?page=1``, ``?page=2``, ... until a page is empty."""

    kind: Literal["page"]
    parameter: str = "page"
    first: int = 1

    def start(self) -> dict[str, str | int]:
        """Parameters of the first request."""
        return {self.parameter: self.first}

    def following(self, response: httpx.Response, document: Any, found: list[Any], page: int) -> Next:
        """What to ask after a page (counted from 0)."""
        return {self.parameter: self.first + page + 1} if found else None


class Offsets(_Paging):
    """``?offset=0&limit=100``, ``?offset=100&limit=100``, ... until a page is not full."""

    kind: Literal["offset"]
    parameter: str = "offset"
    limit_parameter: str = "limit"
    size: int = Field(default=100, ge=1)

    def start(self) -> dict[str, str | int]:
        """Parameters of the first request."""
        return {self.parameter: 0, self.limit_parameter: self.size}

    def following(self, response: httpx.Response, document: Any, found: list[Any], page: int) -> Next:
        """What to ask after a page (counted from 0)."""
        if len(found) < self.size:
            return None
        return {self.parameter: (page + 1) * self.size, self.limit_parameter: self.size}


class Cursors(_Paging):
    """Each page names the next: ``?cursor=...``.

    Attributes:
        parameter: Of the request.
        next: Dotted path to the cursor in the answer; missing, null or empty after the last page.
    """

    kind: Literal["cursor"]
    parameter: str = "cursor"
    next: str

    def start(self) -> dict[str, str | int]:
        """Parameters of the first request."""
        return {}

    def following(self, response: httpx.Response, document: Any, found: list[Any], page: int) -> Next:
        """What to ask after a page (counted from 0)."""
        cursor = records.value(document, self.next)
        return {self.parameter: cursor} if cursor else None


class Links(_Paging):
    """The ``Link`` header (RFC 8288) holds the address of the next page under ``rel="next"``."""

    kind: Literal["link"]

    def start(self) -> dict[str, str | int]:
        """Parameters of the first request."""
        return {}

    def following(self, response: httpx.Response, document: Any, found: list[Any], page: int) -> Next:
        """What to ask after a page (counted from 0)."""
        link = response.links.get("next", {}).get("url")
        return response.url.join(link) if link else None


Paging = Annotated[PageNumbers | Offsets | Cursors | Links, Field(discriminator="kind")]
