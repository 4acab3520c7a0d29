"""A controller that is reached over HTTP: on Kubernetes, or on another machine. See ``admin_api``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from deployments.contracts.errors import RaygateError, UnknownEndpoint
from deployments.contracts.model_version import Version
from deployments.contracts.rollout_status import DecisionEntry, RolloutStatus
from deployments.rollout.commands import Command
from deployments.rollout.dashboard_target import bearer
from ray_apps.endpoints_api import ENDPOINTS, EndpointSummary

T = TypeVar("T")
_SECONDS = 30.0
_SUMMARY, _SUMMARIES = TypeAdapter(EndpointSummary), TypeAdapter(list[EndpointSummary])
_DECISIONS = TypeAdapter(list[DecisionEntry])
_STATUS = TypeAdapter(RolloutStatus)


class ControllerSilent(RaygateError):
    """The controller does not answer, or cannot do what it is asked for now."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.address, self.reason = address, reason

    def __str__(self) -> str:
        return f"the controller at {self.address} does not answer: {self.reason}"


class ControllerRefused(RaygateError):
    """The controller does not do what it is asked for.

    Attributes:
        status: Of its answer.
        reason: In its own words.
    """

    def __init__(self, address: str, status: int, reason: str) -> None:
        super().__init__(address, status, reason)
        self.address, self.status, self.reason = address, status, reason

    def __str__(self) -> str:
        return f"the controller at {self.address} refuses: {self.reason}"

    @property
    def is_of_the_caller(self) -> bool:
        """Whether the credential is missing, or not good enough."""
        return self.status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


class RemoteController:
    """What a controller is asked. Every call may raise ControllerSilent or ControllerRefused.

    Args:
        address: Base URL of its admin API.
        credential: API key or token of the caller; None where nobody asks for one.
        transport: Of the HTTP client; None is the network.
    """

    def __init__(self, address: str, credential: str | None, transport: httpx.BaseTransport | None = None) -> None:
        self.address = address.rstrip("/")
        self._http = httpx.Client(headers=bearer(credential), timeout=_SECONDS, transport=transport)

    def endpoints(self) -> dict[str, EndpointSummary]:
        """Every endpoint, by name."""
        return {each.endpoint: each for each in self._read(_SUMMARIES, self._ask("GET", ENDPOINTS))}

    def endpoint(self, name: str) -> EndpointSummary:
        """One endpoint.

        Raises:
            UnknownEndpoint: There is none of that name.
        """
        known = self.endpoints()
        if name not in known:
            raise UnknownEndpoint(name, tuple(known))
        return known[name]

    def latest(self, endpoint: str) -> RolloutStatus:
        """The latest rollout of an endpoint."""
        return self._read(_STATUS, self._ask("GET", f"{ENDPOINTS}/{endpoint}/rollout"))

    def history(self, endpoint: str) -> list[DecisionEntry]:
        """Decisions on an endpoint, the oldest first."""
        return self._read(_DECISIONS, self._ask("GET", f"{ENDPOINTS}/{endpoint}/history"))

    def start(self, endpoint: str, version: Version | None) -> RolloutStatus:
        """Begin a rollout; without a version that of the only one beside stable."""
        wanted = {} if version is None else {"version": str(version)}
        return self._read(_STATUS, self._ask("POST", f"{ENDPOINTS}/{endpoint}/rollout", wanted))

    def obey(self, endpoint: str, command: Command) -> RolloutStatus:
        """Give a rollout a command."""
        return self._read(_STATUS, self._ask("POST", f"{ENDPOINTS}/{endpoint}/rollout/{command}"))

    def set_traffic(self, endpoint: str, weights: Mapping[Version, float]) -> None:
        """Override the weights, in per cent."""
        plain = {str(version): weight for version, weight in weights.items()}
        self._ask("PUT", f"{ENDPOINTS}/{endpoint}/traffic", {"weights": plain})

    def switch(self, endpoint: str, version: Version | None) -> EndpointSummary:
        """Send all traffic to one version, or without one back to where it went before."""
        wanted: dict[str, Any] = {"back": True} if version is None else {"version": str(version)}
        return self._read(_SUMMARY, self._ask("POST", f"{ENDPOINTS}/{endpoint}/switch", wanted))

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """An answer that the controller itself gave.

        Raises:
            ControllerSilent: Nobody answers, or what it commands does not follow.
            ControllerRefused: It says no, also for want of a credential that is good enough.
        """
        try:
            answer = self._http.request(method, f"{self.address}{path}", json=body)
            told = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ControllerSilent(self.address, str(error) or type(error).__name__) from error
        if answer.is_success:
            return answer
        reason = str(told.get("details") or answer.status_code) if isinstance(told, dict) else answer.text[:200]
        if answer.is_server_error:
            raise ControllerSilent(self.address, reason)
        raise ControllerRefused(self.address, answer.status_code, reason)

    def _read(self, adapter: TypeAdapter[T], answer: httpx.Response) -> T:
        try:
            return adapter.validate_json(answer.content)
        except ValidationError as error:  # something else, or another release
            raise ControllerSilent(self.address, f"its answer is not understood: {error}") from error
