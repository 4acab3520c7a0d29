"""A Prometheus server that queries are put to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from deployments.rollout.errors import EvidenceUnavailable, QueryRefused

TIMEOUT_SECONDS = 5.0
_REFUSALS = frozenset({400, 422})
"""What Prometheus answers where the query is wrong, or cannot be carried out as it is."""


class PrometheusServer:
    """One server.

    Args:
        url: Its base URL.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._shown = str(httpx.URL(self._url).copy_with(userinfo=b""))

    def ask(self, query: str) -> Mapping[str, Any]:
        """What an instant query is answered: ``resultType`` and ``result``.

        Raises:
            QueryRefused: The query is wrong.
            EvidenceUnavailable: The server does not answer, or not as Prometheus does.
        """
        try:
            response = httpx.post(f"{self._url}/api/v1/query", data={"query": query}, timeout=TIMEOUT_SECONDS)
        except httpx.HTTPError as error:
            raise EvidenceUnavailable(f"Prometheus at {self._shown} does not answer: {error}") from error
        try:
            answer: dict[str, Any] = response.json()
            if response.status_code in _REFUSALS:
                raise QueryRefused(f"Prometheus refuses the query: {answer['error']}")
            data: dict[str, Any] = answer["data"]
        except (ValueError, KeyError, TypeError) as error:
            told = f"{response.status_code} {response.reason_phrase}"
            raise EvidenceUnavailable(f"Prometheus at {self._shown} does not answer: {told}") from error
        return data
