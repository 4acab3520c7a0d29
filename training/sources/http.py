"""Rows of an HTTP API that answers with JSON."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import httpx
from pydantic import Field, model_validator

from training import source_address
from training.errors import SourceUnavailable
from training.sources import records, secret
from training.sources.described import Described
from training.sources.http_paging import Page, Paging

if TYPE_CHECKING:
    import pandas as pd

ATTEMPTS = 4
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
WORTH_ANOTHER_ATTEMPT = frozenset({429, 502, 503, 504})


class BearerToken(Described):
    """``Authorization: Bearer ...``; the variable holds the token."""

    kind: Literal["bearer"]
    token_from: str

    def headers(self, source: str) -> dict[str, str]:
        """Return what proves who asks."""
        return {"authorization": f"Bearer {secret.read(self.token_from, source)}"}


class BasicPassword(Described):
    """User and password; the variable holds the password."""

    kind: Literal["basic"]
    user: str
    password_from: str

    def headers(self, source: str) -> dict[str, str]:
        """Return what proves who asks."""
        basic = httpx.BasicAuth(self.user, secret.read(self.password_from, source))
        request = next(basic.auth_flow(httpx.Request("GET", source)))
        return {"authorization": request.headers["authorization"]}


class KeyHeader(Described):
    """A header such as ``X-Api-Key``; the variable holds the key."""

    kind: Literal["header"]
    name: str
    value_from: str

    def headers(self, source: str) -> dict[str, str]:
        """Return what proves who asks."""
        return {self.name: secret.read(self.value_from, source)}


Authentication = Annotated[BearerToken | BasicPassword | KeyHeader, Field(discriminator="kind")]


class HttpApi(Described):
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

    SECRETS: ClassVar[str] = (
        "authentication names the variable that does, such as {kind: header, name: X-Api-Key, value_from: API_KEY}"
    )

    kind: Literal["http"]
    url: str = Field(pattern=r"^https?://")
    records: str = ""
    parameters: dict[str, str | int] = Field(default={})
    authentication: Authentication | None = None
    paging: Paging | None = None
    timeout_seconds: float = Field(default=30, gt=0)
    pages_at_most: int = Field(default=10_000, ge=1)

    @model_validator(mode="after")
    def _asks_without_secret(self) -> Self:
        if names := [name for name in self.parameters if source_address.is_secret_name(name)]:
            raise ValueError(f"parameters must hold no {', '.join(names)}; {self.SECRETS}")
        return self

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
            before: list[Any] = []
            for number in range(self.pages_at_most):
                response = _get(client, wanted)
                document = _json(response)
                came = records.at(document, self.records, str(wanted))
                found.extend(came)
                following = self._following(Page(response, document, came, number, len(found), before), address)
                if following is None:
                    return records.table(found, self.url)
                if following == wanted:
                    raise SourceUnavailable(str(wanted), "names itself as the next page")
                wanted, before = following, came
        raise SourceUnavailable(self.url, f"has more than {self.pages_at_most} pages; raise pages_at_most")

    def _following(self, page: Page, address: httpx.URL) -> httpx.URL | None:
        step = self.paging.following(page) if self.paging else None
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
