"""A Ray cluster through its dashboard's Serve REST API."""

from __future__ import annotations

from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from deployments.contracts.errors import TrafficNotApplied
from deployments.contracts.metric_names import POLICY_EPOCH
from deployments.rollout.serve_config import ServeConfig
from deployments.rollout.serve_target import ApplicationState, ServeState

_APPLICATIONS = "/api/serve/applications/"
_SECONDS = 30.0
# A pool that waits for room to grow serves all the same.
_HEALTHY = frozenset({"HEALTHY", "UPSCALING", "DOWNSCALING"})


class DashboardTarget:
    """The local stack, or any cluster whose dashboard can be reached.

    Args:
        dashboard_url: Base URL of the Ray dashboard.
        metrics_url: The monitor's Prometheus text; tells which policies the gateways have taken over.
        ray_token: For a dashboard that asks for Ray's token.
        api_key: For figures that are read through the API.
    """

    def __init__(
        self, dashboard_url: str, metrics_url: str, ray_token: str | None = None, api_key: str | None = None
    ) -> None:
        self._url, self._metrics_url = dashboard_url.rstrip("/") + _APPLICATIONS, metrics_url
        self._dashboard_headers, self._metrics_headers = bearer(ray_token), bearer(api_key)

    def state(self) -> ServeState:
        """What Serve runs now."""
        try:
            document = self._request("GET").json()
        except ValueError as error:
            raise TrafficNotApplied(f"what answers at {self._url} is not a Ray dashboard") from error
        found = {name: _application(details) for name, details in document.get("applications", {}).items()}
        return ServeState(found)

    def put(self, config: ServeConfig) -> None:
        """Ask for exactly this. A 200 proves only that it was taken: poll ``state`` for the rest."""
        self._request("PUT", config)

    def policy_epochs(self) -> dict[str, list[int]] | None:
        """What the monitor has heard from the gateways."""
        try:
            text = httpx.get(self._metrics_url, headers=self._metrics_headers, timeout=5).raise_for_status().text
        except httpx.HTTPError:
            return None  # the monitor is away, or the port is somebody else's
        epochs: dict[str, list[int]] = {}
        for family in text_string_to_metric_families(text):
            if family.name == POLICY_EPOCH:
                for sample in family.samples:
                    epochs.setdefault(sample.labels["endpoint"], []).append(int(sample.value))
        return epochs

    def _request(self, method: str, config: ServeConfig | None = None) -> httpx.Response:
        try:
            response = httpx.request(
                method, self._url, json=config, headers=self._dashboard_headers, timeout=_SECONDS
            )
        except httpx.HTTPError as error:
            raise TrafficNotApplied(f"the Ray dashboard at {self._url} does not answer: {error}") from error
        if response.is_error:
            raise TrafficNotApplied(
                f"Ray Serve refused the config ({response.status_code}): {response.text[:2000]}"
            )
        return response


def bearer(credential: str | None) -> dict[str, str]:
    """The header of a credential; none without one."""
    return {"authorization": f"Bearer {credential}"} if credential else {}


def _application(details: dict[str, Any]) -> ApplicationState:
    deployments = list(details.get("deployments", {}).values())
    messages = [details.get("message", ""), *(deployment.get("message", "") for deployment in deployments)]
    running = [
        replica
        for deployment in deployments
        for replica in deployment.get("replicas", [])
        if replica.get("state") == "RUNNING"
    ]
    return ApplicationState(
        status=details["status"],
        healthy=bool(deployments) and all(deployment["status"] in _HEALTHY for deployment in deployments),
        message=" ".join(message.strip() for message in messages if message),
        config=details.get("deployed_app_config") or {},
        replicas=len(running),
    )
