"""Replays as steps of a rollout on Kubernetes: each is a RayJob, which can neither slow nor stop what serves."""

from __future__ import annotations

import hashlib
import shlex
from contextlib import suppress
from dataclasses import replace
from typing import Any

from deployments.batch.submission import last_words
from deployments.contracts.rollout_plan import ReplayStep
from deployments.kubernetes_control.cluster import (
    MODEL_ENDPOINT,
    RAY_CRON_JOB,
    RAY_JOB,
    Cluster,
    Resource,
    name_of,
)
from deployments.kubernetes_control.errors import ResourceChanged, ResourceMissing
from deployments.rollout.analysis.replay import Replayed
from deployments.rollout.errors import ReplayFailed, ReplayNotPossible
from deployments.rollout.state import Rollout
from ray_apps import replay_job, replays
from ray_apps.kubernetes_settings import KubernetesSettings
from ray_apps.replays import WantedReplay

TEMPLATE = "raygate-replay"
"""A RayCronJob that is suspended: its job is begun by whoever needs one, as ``kubectl create job --from`` does."""
_OUTPUT = "raygate.io/output"
_ENDED = ("Complete", "Failed", "ValidationFailed")
"""Values of ``status.jobDeploymentStatus`` after which KubeRay does nothing more; not that between attempts."""


class RayJobReplays:
    """See ReplayGate. The RayJob is named for the step: a controller that takes over finds it.

    Args:
        cluster: Makes RayJobs.
        settings: Where log, packages and replays are.
    """

    def __init__(self, cluster: Cluster, settings: KubernetesSettings) -> None:
        self._cluster, self._settings = cluster, settings

    def look(self, rollout: Rollout, step: ReplayStep) -> Replayed:
        """See ReplayGate."""
        asked = replays.wanted(rollout, step, self._settings.replays)
        name = job_name(asked)
        try:
            found = self._cluster.get(RAY_JOB, name)
        except ResourceMissing:
            return self._begun(asked, name, rollout.endpoint)
        status = found.get("status") or {}
        if status.get("jobDeploymentStatus") not in _ENDED:
            return Replayed(is_done=False, told=f"the RayJob {name} is {_state(status)}")
        # As it was begun: the setting may be another by now.
        asked = replace(asked, output=found["metadata"].get("annotations", {}).get(_OUTPUT, asked.output))
        has_succeeded = status.get("jobStatus") == "SUCCEEDED"
        replayed = replay_job.outcome(asked) if has_succeeded else None
        if replayed is None:
            replay_job.discard_answers(asked)
            left_nothing = f"it has succeeded and left no comparison in {asked.output}"
            raise ReplayFailed(name, left_nothing if has_succeeded else _reason(status))
        return replayed

    def _begun(self, asked: WantedReplay, name: str, endpoint: str) -> Replayed:
        """Begin a replay, unless it has ended long ago: jobs that have succeeded are removed after a week.

        Raises:
            ReplayNotPossible: There is nowhere to leave what comes of it, or no template of its job.
        """
        if not self._settings.replays:
            raise _not_possible(asked, "RAYGATE_REPLAYS is empty: say where comparisons are kept")
        replays.check(asked, self._settings)
        found = replay_job.outcome(asked)
        if found is not None:
            return found
        try:
            template = self._cluster.get(RAY_CRON_JOB, TEMPLATE)
        except ResourceMissing as error:
            reason = f"there is no RayCronJob {TEMPLATE}: kubectl apply -k kuberay/schedules/replay"
            raise _not_possible(asked, reason) from error
        owner = self._cluster.get(MODEL_ENDPOINT, endpoint)
        with suppress(ResourceChanged):  # another look was faster
            self._cluster.create(RAY_JOB, job(asked, name, template, owner))
        return Replayed(is_done=False, told=f"the RayJob {name} is begun")


def job_name(asked: WantedReplay) -> str:
    """Name of a replay's RayJob, of which KubeRay takes 47 characters."""
    return f"{TEMPLATE}-{hashlib.sha256(asked.name.encode()).hexdigest()[:16]}"


def job(asked: WantedReplay, name: str, template: Resource, owner: Resource) -> Resource:
    """The RayJob of a replay.

    Args:
        asked: The replay.
        name: Of the job.
        template: RayCronJob that knows everything but the command.
        owner: ModelEndpoint of the rollout; the job goes with it.
    """
    rollout, _, step = asked.name.rpartition("/")
    metadata = {
        "name": name,
        "labels": template["metadata"].get("labels", {}),
        "annotations": {"raygate.io/rollout": rollout, "raygate.io/step": step, _OUTPUT: asked.output},
        "ownerReferences": [
            {**MODEL_ENDPOINT.head, "name": name_of(owner), "uid": owner["metadata"]["uid"]},
        ],
    }
    spec = {**template["spec"]["jobTemplate"], "entrypoint": shlex.join(replay_job.command(asked))}
    return {**RAY_JOB.head, "metadata": metadata, "spec": spec}


def _state(status: dict[str, Any]) -> str:
    told = (status.get("jobDeploymentStatus"), status.get("jobStatus"))
    return ", ".join(dict.fromkeys(each for each in told if each)) or "new"


def _reason(status: dict[str, Any]) -> str:
    message = status.get("message") or ""
    return last_words(message) or message[-500:] or f"it is {_state(status)}"


def _not_possible(asked: WantedReplay, reason: str) -> ReplayNotPossible:
    return ReplayNotPossible(f"{asked.model} {asked.candidate}", f"{asked.model} {asked.stable}", reason)
