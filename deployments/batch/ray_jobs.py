"""Jobs of a Ray cluster through its dashboard's REST API: submitted once, asked for, listed, stopped."""

from __future__ import annotations

import re
from typing import Any

import httpx

from deployments.batch.errors import JobsUnavailable

_JOBS = "/api/jobs/"
_SECONDS = 30.0
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")


class RayJobs:
    """The jobs of one cluster.

    Args:
        address: Base URL of its dashboard.
    """

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")

    def submit(self, document: dict[str, Any]) -> bool:
        """Submit a job under its ``submission_id``; False if there is one of that id already.

        Raises:
            JobsUnavailable: Ray does not answer, or does not take it.
        """
        response = self._request("POST", _JOBS, document)
        if response.is_success:
            return True
        if self.details(document["submission_id"]) is None:
            raise JobsUnavailable(self._address, f"refused the job ({response.status_code})")
        return False

    def details(self, job_id: str) -> dict[str, Any] | None:
        """What Ray knows of a job; None if it knows of none.

        Raises:
            JobsUnavailable: Ray does not answer.
        """
        if not _ID.fullmatch(job_id):  # a caller's text never becomes a path of the dashboard
            return None
        response = self._request("GET", f"{_JOBS}{job_id}")
        if response.status_code == 404:
            return None
        if response.is_error:
            raise JobsUnavailable(self._address, f"answered {response.status_code}")
        found: dict[str, Any] = response.json()
        return found

    def all(self) -> list[dict[str, Any]]:
        """Every job that Ray remembers.

        Raises:
            JobsUnavailable: Ray does not answer.
        """
        response = self._request("GET", _JOBS)
        if response.is_error:
            raise JobsUnavailable(self._address, f"answered {response.status_code}")
        found: list[dict[str, Any]] = response.json()
        return found

    def stop(self, job_id: str) -> None:
        """Ask a job to stop.

        Raises:
            JobsUnavailable: Ray does not answer, or cannot stop it.
        """
        response = self._request("POST", f"{_JOBS}{job_id}/stop")
        if response.is_error:
            raise JobsUnavailable(self._address, f"could not stop {job_id} ({response.status_code})")

    def _request(self, method: str, path: str, document: dict[str, Any] | None = None) -> httpx.Response:
        try:
            return httpx.request(method, self._address + path, json=document, timeout=_SECONDS)
        except httpx.HTTPError as error:
            raise JobsUnavailable(self._address, f"does not answer ({type(error).__name__})") from error
