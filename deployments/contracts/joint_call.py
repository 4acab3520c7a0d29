"""What a gateway is sent, and answers, when several requests come in one call of Serve.

Like ``wire``, for the same reason: both sides restart separately, so it is plain data with a version of its own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from deployments.contracts.errors import WireMismatch

CONTRACT_VERSION = 1
Headers = tuple[tuple[bytes, bytes], ...]


class JointRequest(NamedTuple):
    """One POST request.

    Attributes:
        path: Of the route.
        headers: Names in lower case.
        body: As it would come over HTTP.
    """

    path: str
    headers: Headers
    body: bytes


class JointAnswer(NamedTuple):
    """The answer to one request.

    Attributes:
        status: Of HTTP.
        headers: As they would go over HTTP.
        body: The whole of it.
    """

    status: int
    headers: Headers
    body: bytes


def to_plain(requests: list[JointRequest]) -> dict[str, Any]:
    """Requests as plain data."""
    return {"contract": CONTRACT_VERSION, "requests": [tuple(request) for request in requests]}


def from_plain(plain: dict[str, Any]) -> list[JointRequest]:
    """Read requests.

    Raises:
        WireMismatch: The sender speaks another contract version.
    """
    if plain.get("contract") != CONTRACT_VERSION:
        raise WireMismatch("contracts of joint calls", str(CONTRACT_VERSION), str(plain.get("contract")))
    return [JointRequest(*request) for request in plain["requests"]]
