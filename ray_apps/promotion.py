"""From one environment to the next: a version that passed its smoke tests here begins its rollout there."""

from __future__ import annotations

from typing import Any

import httpx

from deployments.contracts.environment import Environment
from deployments.contracts.errors import RaygateError
from deployments.contracts.model_version import Version
from deployments.contracts.secret_reference import resolve
from deployments.rollout import aliases
from deployments.rollout.in_force import InForce, with_candidate

_TIMEOUT_SECONDS = 300.0
_ENDPOINTS = "/api/v1/admin/endpoints"


class UnknownEnvironment(RaygateError):
    """No setting says where an environment is."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name, known)
        self.name, self.known = name, known

    def __str__(self) -> str:
        told = ", ".join(self.known) or "none"
        return f"RAYGATE_ENVIRONMENTS does not name {self.name!r}; it names {told}"


class PromotionRefused(RaygateError):
    """The other environment does not take a version."""

    def __init__(self, environment: str, reason: str) -> None:
        super().__init__(environment, reason)
        self.environment, self.reason = environment, reason

    def __str__(self) -> str:
        return f"{self.environment} does not take it: {self.reason}"


class TargetEnvironment:
    """The admin API of another environment.

    Args:
        name: Of the environment.
        address: Where it answers.
        transport: Of the HTTP client; None is the network.
    """

    def __init__(self, name: str, address: Environment, transport: httpx.BaseTransport | None = None) -> None:
        self._name = name
        self._http = httpx.Client(
            base_url=address.control_url,
            headers={"authorization": f"Bearer {resolve(address.key)}"},
            timeout=_TIMEOUT_SECONDS,
            transport=transport,
        )

    def promote(self, endpoint: str, version: Version) -> str:
        """Begin a version's rollout by the plan of the endpoint there, which decides the rest.

        A version that the endpoint there does not have yet is added to it as a candidate without traffic; what is
        in force there stays in force.

        Returns:
            Name of the rollout.

        Raises:
            InvalidDocument: This release does not understand the endpoint's document there.
            PromotionRefused: There is no such endpoint, its store does not hold the version, a rollout runs, ...
        """
        path = f"{_ENDPOINTS}/{endpoint}"
        document = aliases.sound(self._ask("GET", path), f"{endpoint} in {self._name}")
        if version not in {served.version for served in document.spec.versions}:
            listed = next(each for each in self._ask("GET", _ENDPOINTS) if each["endpoint"] == endpoint)
            weights = {Version.parse(served): float(weight) for served, weight in listed["weights"].items()}
            now = InForce(Version.parse(listed["stable"]), weights, document.spec.traffic.rules)
            changed = with_candidate(document, now, version)
            self._ask("PUT", path, changed.model_dump(mode="json", by_alias=True, exclude_none=True))
        begun = self._ask("POST", f"{path}/rollout", {"version": str(version)})
        return str(begun["rollout"])

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            answer = self._http.request(method, path, json=body)
            told = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise PromotionRefused(self._name, f"its controller does not answer: {error}") from error
        if answer.is_error:
            raise PromotionRefused(self._name, str(told.get("details", answer.status_code)))
        return told
