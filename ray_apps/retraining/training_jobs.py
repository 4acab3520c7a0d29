"""Retraining runs as Ray jobs, submitted as batches are: under an id of their own, so that each runs once."""

from __future__ import annotations

import shlex
from pathlib import Path

from deployments.batch.ray_jobs import RayJobs
from ray_apps.retraining.ports import JobState
from ray_apps.retraining.run import RetrainingRun

MODULE = "ray_apps.retrain"
_STATES = {
    "PENDING": JobState.RUNNING,
    "RUNNING": JobState.RUNNING,
    "SUCCEEDED": JobState.ENDED,
    "FAILED": JobState.FAILED,
    "STOPPED": JobState.FAILED,
}


class TrainingJobs:
    """See Jobs.

    Args:
        address: Base URL of the Ray dashboard that runs them.
        python: Python there that has Raygate installed.
        state_directory: What the job writes down is written here; the cluster must see it.
    """

    def __init__(self, address: str, python: str, state_directory: Path) -> None:
        self._jobs, self._python, self._state = RayJobs(address), python, state_directory

    def submit(self, run: RetrainingRun) -> None:
        """See Jobs."""
        self._jobs.submit(
            {
                "submission_id": run.name,
                "entrypoint": f"{shlex.quote(self._python)} -m {MODULE} --run {shlex.quote(run.name)}",
                "runtime_env": {"env_vars": {"RAYGATE_STATE_DIRECTORY": str(self._state)}},
                "metadata": {"raygate_retraining": run.endpoint, "raygate_trigger": run.trigger.kind.value},
            }
        )

    def state(self, run: RetrainingRun) -> tuple[JobState, str]:
        """See Jobs."""
        details = self._jobs.details(run.name)
        if details is None:
            return JobState.UNKNOWN, ""
        return _STATES.get(details["status"], JobState.RUNNING), str(details.get("message") or "")
