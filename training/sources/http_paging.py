"""How an HTTP API divides a list into pages, one way a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field

from training.errors import SourceUnavailable
from training.sources import records

Next = dict[str, str | int] | httpx.URL | None
"""Parameters of the next request, or its address, or None after the last page."""


@dataclass(frozen=True)
class Page:
    """One page as it came.

    Attributes:
        response: The answer.
        document: Its JSON.
        records: Those of the page.
        number: Counted from 0.
        read: Records of this page and all before it.
        before: Records of the page before.
    """

    response: httpx.Response
    document: Any
    records: list[Any]
    number: int
    read: int
    before: list[Any]


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

    def following(self, page: Page) -> Next:
        """What to ask after a page."""
        _must_differ(page, self.parameter)
        return {self.parameter: self.first + page.number + 1} if page.records else None


class Offsets(_Paging):
    """``?offset=0&limit=100``, ... on by as many as came, until a page is empty: an API may cap its pages.

    Attributes:
        parameter: Of the request.
        limit_parameter: Of the request.
        size: Records that a page is asked to hold; it may hold fewer.
        total: Dotted path to the number of all records; for an API that answers past the end with an error.
    """

    kind: Literal["offset"]
    parameter: str = "offset"
    limit_parameter: str = "limit"
    size: int = Field(default=100, ge=1)
    total: str = ""

    def start(self) -> dict[str, str | int]:
        """Parameters of the first request."""
        return {self.parameter: 0, self.limit_parameter: self.size}

    def following(self, page: Page) -> Next:
        """What to ask after a page."""
        if self.total and page.read >= (total := self._total(page)):
            return None
        if self.total and not page.records:
            address = str(page.response.url)
            raise SourceUnavailable(address, f"is empty, after {page.read} of {total} records")
        _must_differ(page, self.parameter)
        return {self.parameter: page.read, self.limit_parameter: self.size} if page.records else None

    def _total(self, page: Page) -> int:
        found = records.value(page.document, self.total)
        if isinstance(found, bool) or not isinstance(found, int):
            address = str(page.response.url)
            raise SourceUnavailable(address, f"at {self.total!r} is {type(found).__name__}, not a number")
        return found


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

    def following(self, page: Page) -> Next:
        """What to ask after a page."""
        cursor = records.value(page.document, self.next)
        return {self.parameter: cursor} if cursor else None


class Links(_Paging):
    """The ``Link`` header (RFC 8288) holds the address of the next page under ``rel="next"``."""

    kind: Literal["link"]

    def start(self) -> dict[str, str | int]:
        """Parameters of the first request."""
        return {}

    def following(self, page: Page) -> Next:
        """What to ask after a page."""
        link = page.response.links.get("next", {}).get("url")
        return page.response.url.join(link) if link else None


def _must_differ(page: Page, parameter: str) -> None:
    """An API that does not know a parameter ignores it, and would give its first page for ever."""
    if page.records and page.records == page.before:
        raise SourceUnavailable(
            str(page.response.url),
            f"holds the {len(page.records)} records of the page before again; is its parameter {parameter!r}? "
            "An API that gives all at once needs no paging",
        )


Paging = Annotated[PageNumbers | Offsets | Cursors | Links, Field(discriminator="kind")]
