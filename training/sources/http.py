"""Rows of an HTTP API that answers with JSON."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field

from training.errors import SourceUnavailable
from training.sources import records, secret
from training.sources.http_paging import Paging

if TYPE_CHECKING:
    import pandas as pd

ATTEMPTS = 4
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
WORTH_ANOTHER_ATTEMPT = frozenset({429, 502, 503, 504})


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BearerToken(_Part):
    """``Authorization: Bearer ...``; the variable holds the token."""

    kind: Literal["bearer"]
    token_from: str

    def headers(self, source: str) -> dict[str, str]:
        """Return what proves who asks."""
        return {"authorization": f"Bearer {secret.read(self.token_from, source)}"}


class BasicPassword(_Part):
    """User and password; the variable holds the password."""

    kind: Literal["basic"]
    user: str
    password_from: str

    def headers(self, source: str) -> dict[str, str]:
        """Return what proves who asks."""
        basic = httpx.BasicAuth(self.user, secret.read(self.password_from, source))
        request = next(basic.auth_flow(httpx.Request("GET", source)))
        return {"authorization": request.headers["authorization"]}


class KeyHeader(_Part):
    """A header such as ``X-Api-Key``; the variable holds the key."""

    kind: Literal["header"]
    name: str
    value_from: str

    def headers(self, source: str) -> dict[str, str]:
        """Return what proves who asks."""
        return {self.name: secret.read(self.value_from, source)}


Authentication = Annotated[BearerToken | BasicPassword | KeyHeader, Field(discriminator="kind")]


class HttpApi(_Part):
    """The records of an HTTP API, all of its pages.

    Attributes:
        url: Address of the first page.
        records: Dotted path to the list of records in an answer; empty if the answer is the list.
        parameters: Query parameters of every request.
        authentication: How to prove who asks; none by default.
        paging: How to get from page to page; one page by default.
        timeout_seconds: For each answer.
        pages_at_most: More pages than this are an error: an API that never ends is one.
    """

    kind: Literal["http"]
    url: str = Field(pattern=r"^https?://")
    records: str = ""
    parameters: dict[str, str | int] = {}
    authentication: Authentication | None = None
    paging: Paging | None = None
    timeout_seconds: float = Field(default=30, gt=0)
    pages_at_most: int = Field(default=10_000, ge=1)

    def read(self) -> pd.DataFrame:
        """Return the rows of all pages.

        Raises:
            SourceUnavailable: A page cannot be had, or is not what was described.
        """
        headers = self.authentication.headers(self.url) if self.authentication else {}
        found: list[Any] = []
        with httpx.Client(headers=headers, timeout=self.timeout_seconds) as client:
            address = httpx.URL(self.url, params={**httpx.URL(self.url).params, **self.parameters})
            wanted = address.copy_merge_params(self.paging.start()) if self.paging else address
            for page in range(self.pages_at_most):
                response = _get(client, wanted)
                document = _json(response)
                records_of_page = records.at(document, self.records, str(wanted))
                found.extend(records_of_page)
                following = self._following(response, document, records_of_page, page, address)
                if following is None:
                    return records.table(found, self.url)
                if following == wanted:
                    raise SourceUnavailable(str(wanted), "names itself as the next page")
                wanted = following
        raise SourceUnavailable(self.url, f"has more than {self.pages_at_most} pages; raise pages_at_most")

    def _following(
        self, response: httpx.Response, document: Any, found: list[Any], page: int, address: httpx.URL
    ) -> httpx.URL | None:
        step = self.paging.following(response, document, found, page) if self.paging else None
        if step is None or isinstance(step, dict):
            return None if step is None else address.copy_merge_params(step)
        if (step.scheme, step.netloc) != (address.scheme, address.netloc):
            raise SourceUnavailable(str(address), f"sends on to {step.host}, which must not get our credentials")
        return step


def _get(client: httpx.Client, url: httpx.URL) -> httpx.Response:
    """Ask, and ask again while the server says that it is busy."""
    pause = FIRST_PAUSE_S
    for attempt in range(ATTEMPTS):
        try:
            response = client.get(url)
        except httpx.HTTPError as error:
            if attempt + 1 == ATTEMPTS:
                raise SourceUnavailable(str(url), str(error) or type(error).__name__) from error
        else:
            if response.is_success:
                return response
            if response.status_code not in WORTH_ANOTHER_ATTEMPT or attempt + 1 == ATTEMPTS:
                raise SourceUnavailable(str(url), f"answers {response.status_code} {response.reason_phrase}")
            told = response.headers.get("retry-after", "")
            pause = min(float(told), LONGEST_PAUSE_S) if told.isdigit() else pause
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)
    raise AssertionError("unreachable")


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise SourceUnavailable(str(response.url), "does not answer with JSON") from error
