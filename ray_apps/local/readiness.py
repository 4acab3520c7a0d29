"""Waiting until the local stack can answer, by the word of its gateway."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from deployments.contracts.errors import TrafficNotApplied


def wait_ready(
    api_url: str, timeout_s: float, progress: Callable[[str], None], endpoint: str | None = None
) -> None:
    """Wait until the gateway says that an endpoint can answer, or that all can.

    Args:
        api_url: Of the gateway.
        timeout_s: After which nobody waits any more.
        progress: Is told when it is ready.
        endpoint: The one that is meant; None means all.

    Raises:
        TrafficNotApplied: It does not in time.
    """
    deadline = time.monotonic() + timeout_s
    url, seen = f"{api_url}/ready", "no answer"
    while time.monotonic() < deadline:
        try:
            response = httpx.get(url, timeout=5)
            if response.status_code == 200 or endpoint in _ready_endpoints(response):
                progress("ready")
                return
            seen = f"{response.status_code} {response.text[:300]}"
        except httpx.HTTPError as error:
            seen = str(error)
        time.sleep(0.1)
    raise TrafficNotApplied(f"{url} is not ready after {timeout_s:g} s: {seen}")


def _ready_endpoints(response: httpx.Response) -> set[str]:
    if response.status_code != 503 or "application/json" not in response.headers.get("content-type", ""):
        return set()
    return {found["model_id"] for found in response.json().get("endpoints", []) if found["ready"]}
