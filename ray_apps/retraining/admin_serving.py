"""Endpoints whose controller is reached over HTTP, as retraining sees them: on Kubernetes they are resources."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx

from deployments.contracts.errors import UnknownEndpoint
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.rollout_status import RolloutStatus
from deployments.rollout.dashboard_target import bearer
from deployments.rollout.state import Phase
from ray_apps.endpoints_api import ENDPOINTS, EndpointSummary
from ray_apps.retraining import label_count, monitor_evidence
from ray_apps.retraining.decision import Evidence
from ray_apps.retraining.errors import ChampionReplaced, ControllerSilent
from ray_apps.retraining.ports import Canary, CanaryState
from ray_apps.retraining.run import RetrainingRun

_SECONDS = 30.0


class AdminServing:
    """See Serving. It changes no endpoint: who owns the resource adds the challenger, and its rollout begins then.

    Args:
        controller: Base URL of the admin API.
        monitor: URL of the monitor's Prometheus text.
        log: Root of the prediction log.
        credential: Of a caller that may change traffic.
        transport: Of the HTTP client; None is the network.
    """

    def __init__(
        self,
        controller: str,
        monitor: str,
        log: str,
        credential: str | None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._controller, self._monitor, self._log = controller, monitor, log
        self._http = httpx.Client(headers=bearer(credential), timeout=_SECONDS, transport=transport)

    def stable(self, endpoint: str) -> ModelVersion:
        """See Serving."""
        summary = self._summary(endpoint)
        return ModelVersion(summary.model, summary.stable)

    def evidence(self, stable: ModelVersion) -> Evidence | None:
        """See Serving."""
        return monitor_evidence.asked(lambda: self._http.get(self._monitor), stable)

    def labelled(self, endpoint: str, since: datetime) -> int:
        """See Serving."""
        return label_count.of(self._log, endpoint, since)

    def begin_canary(self, run: RetrainingRun) -> Canary:
        """See Serving."""
        assert run.challenger is not None, "only a run with a challenger asks for a canary"
        latest = self._latest(run.endpoint)
        if latest and latest.candidate == run.challenger and latest.started >= run.started:
            return Canary(CanaryState.BEGUN, latest.rollout)
        summary = self._summary(run.endpoint)
        if summary.stable != run.champion:
            error = ChampionReplaced(run.name, str(run.champion), str(summary.stable))
            return Canary(CanaryState.OUTDATED, str(error))
        if run.challenger not in summary.weights:
            return Canary(CanaryState.WAITING, _wanted(run.endpoint, run.challenger))
        begun = self._ask("POST", f"{ENDPOINTS}/{run.endpoint}/rollout", {"version": str(run.challenger)})
        if begun.is_success:
            return Canary(CanaryState.BEGUN, str(begun.json()["rollout"]))
        latest = self._latest(run.endpoint)
        is_moving = latest is not None and not (Phase(latest.phase).is_final and latest.in_force)
        state = CanaryState.WAITING if is_moving else CanaryState.NOT_POSSIBLE
        return Canary(state, str(begun.json().get("details", begun.status_code)))

    def _summary(self, endpoint: str) -> EndpointSummary:
        known = {each["endpoint"]: each for each in self._told(self._ask("GET", ENDPOINTS))}
        if endpoint not in known:
            raise UnknownEndpoint(endpoint, tuple(known))
        return EndpointSummary.model_validate(known[endpoint])

    def _latest(self, endpoint: str) -> RolloutStatus | None:
        answer = self._ask("GET", f"{ENDPOINTS}/{endpoint}/rollout")
        return None if answer.status_code == httpx.codes.NOT_FOUND else RolloutStatus(**self._told(answer))

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """An answer that the controller itself gave.

        Raises:
            ControllerSilent: Nobody answers, or the credential is not good enough.
        """
        try:
            answer = self._http.request(method, f"{self._controller}{path}", json=body)
            answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ControllerSilent(self._controller, str(error) or type(error).__name__) from error
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN) or answer.is_server_error:
            raise ControllerSilent(self._controller, str(answer.json().get("details", answer.status_code)))
        return answer

    def _told(self, answer: httpx.Response) -> Any:
        if answer.is_error:
            raise ControllerSilent(self._controller, str(answer.json().get("details", answer.status_code)))
        return answer.json()


def _wanted(endpoint: str, challenger: Version) -> str:
    added = f"{{version: {challenger}, role: candidate}}"
    return f"{endpoint} does not have {challenger} yet; add `{added}` to its versions"
