"""What the Ray dashboard says of Serve, and how Serve is emptied."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx

from deployments.contracts.errors import TrafficNotApplied

# An application drains its replicas one second on a laptop; a slow model's last call may take longer.
_SHUTDOWN_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Application:
    """A Serve application as the dashboard sees it.

    Attributes:
        name: Its name; of a pool: the model version.
        status: Such as ``RUNNING`` or ``DEPLOY_FAILED``.
        message: What Serve says about it.
        running: Replicas that answer, over its deployments.
        wanted: Replicas that are to answer.
    """

    name: str
    status: str
    message: str
    running: int
    wanted: int

    @property
    def sleeps(self) -> bool:
        """Whether it is as it should be without a replica."""
        return self.status == "RUNNING" and self.running == self.wanted == 0


def applications(dashboard_url: str, timeout_s: float = 10.0) -> list[Application] | None:
    """All applications by name; None if the dashboard does not answer."""
    try:
        answer = httpx.get(f"{dashboard_url}/api/serve/applications/", timeout=timeout_s)
        answer.raise_for_status()
        return applications_in(answer.json())
    except (httpx.HTTPError, ValueError):
        return None


def applications_in(details: dict[str, Any]) -> list[Application]:
    """Read the dashboard's document (Ray's ``ServeInstanceDetails``)."""
    found = []
    for name, application in sorted(details.get("applications", {}).items()):
        deployments = application.get("deployments", {}).values()
        states = [replica.get("state") for one in deployments for replica in one.get("replicas", ())]
        found.append(
            Application(
                name=name,
                status=application.get("status", "UNKNOWN"),
                message=application.get("message", ""),
                running=states.count("RUNNING"),
                wanted=sum(one.get("target_num_replicas") or 0 for one in deployments),
            )
        )
    return found


def shut_down_serve(dashboard_url: str) -> None:
    """Drain and delete every application, then HAProxy and the controller; returns when they are gone.

    Must come before Ray is ended: an HAProxy whose manager dies first is an orphan that keeps its ports.

    Raises:
        TrafficNotApplied: The dashboard does not answer, or Serve is not empty in time.
    """
    deadline = time.monotonic() + _SHUTDOWN_TIMEOUT_S
    url = f"{dashboard_url}/api/serve/applications/"
    try:
        httpx.delete(url, timeout=_SHUTDOWN_TIMEOUT_S).raise_for_status()
        while _holds_anything(httpx.get(url, timeout=10.0).raise_for_status().json()):
            if time.monotonic() > deadline:
                raise TrafficNotApplied(
                    f"Serve still has applications {_SHUTDOWN_TIMEOUT_S:g} s after its shutdown"
                )
            time.sleep(0.1)
    except httpx.HTTPError as error:
        raise TrafficNotApplied(f"the dashboard at {dashboard_url} does not answer: {error}") from error


def _holds_anything(details: dict[str, Any]) -> bool:
    return bool(details.get("applications") or details.get("proxies"))
