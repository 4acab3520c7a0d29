"""Endpoints whose controller is reached over HTTP, as retraining sees them: on Kubernetes they are resources."""

from __future__ import annotations

from datetime import datetime

import httpx

from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.rollout_status import RolloutStatus
from deployments.rollout.dashboard_target import bearer
from deployments.rollout.status import is_over
from ray_apps.remote_controller import ControllerRefused, RemoteController
from ray_apps.retraining import label_count, monitor_evidence
from ray_apps.retraining.decision import Evidence
from ray_apps.retraining.errors import ChampionReplaced
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
        self._controller = RemoteController(controller, credential, transport)
        self._monitor, self._log = monitor, log
        self._http = httpx.Client(headers=bearer(credential), timeout=_SECONDS, transport=transport)

    def stable(self, endpoint: str) -> ModelVersion:
        """See Serving."""
        summary = self._controller.endpoint(endpoint)
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
        summary = self._controller.endpoint(run.endpoint)
        if summary.stable != run.champion:
            error = ChampionReplaced(run.name, str(run.champion), str(summary.stable))
            return Canary(CanaryState.OUTDATED, str(error))
        if run.challenger not in summary.weights:
            return Canary(CanaryState.WAITING, _wanted(run.endpoint, run.challenger))
        try:
            return Canary(CanaryState.BEGUN, self._controller.start(run.endpoint, run.challenger).rollout)
        except ControllerRefused as error:
            if error.is_of_the_caller:
                raise
            latest = self._latest(run.endpoint)
            is_moving = latest is not None and not is_over(latest)
            state = CanaryState.WAITING if is_moving else CanaryState.NOT_POSSIBLE
            return Canary(state, error.reason)

    def _latest(self, endpoint: str) -> RolloutStatus | None:
        try:
            return self._controller.latest(endpoint)
        except ControllerRefused as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise


def _wanted(endpoint: str, challenger: Version) -> str:
    added = f"{{version: {challenger}, role: candidate}}"
    return f"{endpoint} does not have {challenger} yet; add `{added}` to its versions"
