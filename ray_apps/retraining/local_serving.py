"""The endpoints of the local stack, as retraining sees them."""

from __future__ import annotations

import logging
from datetime import datetime

import httpx

from deployments.contracts.endpoint import ModelEndpoint
from deployments.contracts.errors import RaygateError, UnknownEndpoint
from deployments.contracts.model_version import ModelVersion, Version
from deployments.rollout import in_force
from deployments.rollout.endpoint_store import EndpointStore, WantedEndpoint
from deployments.rollout.errors import (
    EndpointChanged,
    NoRollout,
    RolloutFrozen,
    RolloutNotPossible,
    RolloutRunning,
)
from deployments.rollout.service import RolloutService
from ray_apps.retraining import monitor_evidence
from ray_apps.retraining.decision import Evidence
from ray_apps.retraining.errors import ChampionReplaced
from ray_apps.retraining.ports import Canary, CanaryState
from ray_apps.retraining.run import RetrainingRun
from ray_apps.settings import Settings

ACTOR = "retraining"
_SECONDS = 5.0
_log = logging.getLogger("raygate.retraining")


class LocalServing:
    """See Serving.

    Args:
        settings: Of the stack.
        rollouts: Its rollouts.
    """

    def __init__(self, settings: Settings, rollouts: RolloutService) -> None:
        self._settings, self._rollouts = settings, rollouts
        self._endpoints = EndpointStore(settings.control_database)

    def stable(self, endpoint: str) -> ModelVersion:
        """See Serving."""
        policy = self._wanted(endpoint).policy
        return ModelVersion(policy.model, policy.stable)

    def evidence(self, stable: ModelVersion) -> Evidence | None:
        """See Serving."""
        return monitor_evidence.asked(lambda: httpx.get(self._settings.metrics_url, timeout=_SECONDS), stable)

    def labelled(self, endpoint: str, since: datetime) -> int:
        """See Serving."""
        from ray_apps.retraining import label_count  # here, because a command that needs none is to start fast

        return label_count.of(self._settings.prediction_log, endpoint, since)

    def begin_canary(self, run: RetrainingRun) -> Canary:
        """See Serving."""
        assert run.challenger is not None, "only a run with a challenger asks for a canary"
        begun = self._begun(run)
        if begun:
            return Canary(CanaryState.BEGUN, begun)
        try:
            self._serve(run, run.challenger)
            rollout = self._rollouts.start(run.endpoint, run.challenger, ACTOR)
        except (RolloutRunning, RolloutFrozen, EndpointChanged) as error:
            return Canary(CanaryState.WAITING, str(error))
        except ChampionReplaced as error:
            return Canary(CanaryState.OUTDATED, str(error))
        except RolloutNotPossible as error:
            return Canary(CanaryState.NOT_POSSIBLE, str(error))
        except RaygateError as error:
            # The pool did not come up, or its package is refused: asking again and again would not help.
            return Canary(CanaryState.NOT_POSSIBLE, str(error))
        return Canary(CanaryState.BEGUN, rollout.name)

    def _begun(self, run: RetrainingRun) -> str:
        """Name of the rollout that began before somebody could write it down; empty if there is none."""
        try:
            latest = self._rollouts.latest(run.endpoint)
        except NoRollout:
            return ""
        return latest.name if latest.candidate == run.challenger and latest.started >= run.started else ""

    def _serve(self, run: RetrainingRun, challenger: Version) -> None:
        """Bring up the challenger's pool: the endpoint's file with one version more.

        Raises:
            ChampionReplaced: It was judged against another version than the stable one.
            RolloutRunning: A rollout moves the weights.
            RaygateError: It does not come up.
        """
        from ray_apps.control import LocalControl
        from ray_apps.local.lock import exclusive
        from ray_apps.local.places import Places

        with exclusive(Places(self._settings.state).lock_file, wait=True, gives_way=True):
            wanted = self._wanted(run.endpoint)  # here: who held the lock may have applied another file
            if wanted.policy.stable != run.champion:
                raise ChampionReplaced(run.name, str(run.champion), str(wanted.policy.stable))
            document = with_challenger(wanted, challenger)
            if document != wanted.document:
                LocalControl(self._settings).apply_document(document, run.name, _log.info, by_owner=False)

    def _wanted(self, endpoint: str) -> WantedEndpoint:
        wanted = self._endpoints.endpoints()
        if endpoint not in wanted:
            raise UnknownEndpoint(endpoint, tuple(wanted))
        return wanted[endpoint]


def with_challenger(wanted: WantedEndpoint, challenger: Version) -> ModelEndpoint:
    """The endpoint's document with a version more, and with the roles and weights that are in force.

    Versions that nobody is sent to and that nothing names go: each retraining would leave one more.

    Raises:
        InvalidDocument: What would come of it is no sound endpoint.
    """
    if challenger in wanted.policy.versions:
        return wanted.document
    now = in_force.InForce.under(wanted.policy)
    return in_force.with_candidate(wanted.document, now, challenger, without_idle=True)
