"""Telling the end of a job to whoever asked for it: signed, with retries, never through a redirect."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import orjson

from deployments.batch.errors import CallbackFailed
from deployments.batch.policy import origin_of

SIGNATURE, TIMESTAMP, DELIVERY = "x-raygate-signature", "x-raygate-timestamp", "x-raygate-delivery"
ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 1.0
_TIMEOUT_SECONDS = 10.0


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """``sha256=`` and HMAC-SHA-256 (hex) of timestamp, a dot and the body.

    A receiver computes the same over what it got, compares in constant time, and refuses old timestamps.
    """
    signed = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def deliver(
    url: str,
    document: Mapping[str, Any],
    job_id: str,
    secret: str | None,
    pause: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
    transport: httpx.BaseTransport | None = None,
) -> int:
    """Post a document until it is taken: after 1, 2, 4, 8 and 16 seconds again.

    Args:
        url: Where to; must have been allowed.
        document: What to tell.
        job_id: Of the job, or of whatever is told: tells receivers that a second delivery is the same.
        secret: Signs; None leaves the signature out.
        pause: Waits so many seconds.
        now: Unix time.
        transport: Of the HTTP client; None is the network.

    Returns:
        Attempts that it took.

    Raises:
        CallbackFailed: Nobody took it. An answer of 4xx but 408 and 429 is final.
    """
    body = orjson.dumps(document)
    with httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=False, transport=transport) as client:
        for attempt in range(1, ATTEMPTS + 1):
            reason, is_final = _posted(client, url, body, _headers(body, job_id, secret, str(int(now()))))
            if not reason:
                return attempt
            if is_final or attempt == ATTEMPTS:
                break
            pause(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
    raise CallbackFailed(_receiver(url), attempt, reason)


def _receiver(url: str) -> str:
    """A URL without what may be secret of it."""
    try:
        return origin_of(url)
    except ValueError:
        return "a receiver"


def _headers(body: bytes, job_id: str, secret: str | None, timestamp: str) -> dict[str, str]:
    headers = {"content-type": "application/json", TIMESTAMP: timestamp, DELIVERY: job_id}
    return headers if secret is None else {**headers, SIGNATURE: signature(secret, timestamp, body)}


def _posted(client: httpx.Client, url: str, body: bytes, headers: dict[str, str]) -> tuple[str, bool]:
    """Why it was not taken, or an empty text; and whether the receiver will not take it later either."""
    try:
        status = client.post(url, content=body, headers=headers).status_code
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        return "is no URL that can be called", True
    except httpx.HTTPError as error:
        return type(error).__name__, False
    if 200 <= status < 300:
        return "", True
    return f"answered {status}", 300 <= status < 500 and status not in (408, 429)
