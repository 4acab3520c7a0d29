"""Replays as batches of the prediction log on this machine's Ray, compared with what stable had answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.contracts.rollout_plan import ReplayStep
from deployments.rollout.analysis.replay import Replayed
from deployments.rollout.errors import ReplayFailed
from deployments.rollout.state import Rollout
from deployments.rollout.statistics.sample import Sample
from ray_apps import gateway_arguments
from ray_apps.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from deployments.batch.job import BatchJob

_COLUMNS = ["logged_prediction_id", "logged_prediction", "prediction"]
_CALLER = "controller"


class BatchReplays:
    """See ReplayGate. The batch is named for the rollout: however often it is asked for, it runs once.

    Args:
        settings: Where the log, its keys and Ray are.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def look(self, rollout: Rollout, step: ReplayStep) -> Replayed:
        """See ReplayGate."""
        # Imported here, because it loads Arrow.
        from deployments.batch.errors import NothingToScore
        from deployments.batch.service import BatchService
        from deployments.batch.submission import BatchJobs, BatchState

        job = self._job(rollout, step)
        policy = gateway_arguments.batch_policy(self._settings)
        service = BatchService(BatchJobs(policy.jobs_address, policy.python))
        try:
            found = service.submit(job, _CALLER, f"{rollout.name}/{rollout.state.step}", job.model_dump_json())
        except NothingToScore as error:
            return Replayed(is_done=True, told=str(error))
        if not found.status.is_end:
            done = found.progress.rows if found.progress else 0
            return Replayed(is_done=False, told=f"{found.job_id} is {found.status}, {done} requests so far")
        if found.status is not BatchState.SUCCEEDED:
            raise ReplayFailed(found.job_id, found.error or found.status.value)
        return compared(_scored(job.output), self._truth(rollout, step))

    def _job(self, rollout: Rollout, step: ReplayStep) -> BatchJob:
        from deployments.batch.file_format import FileFormat
        from deployments.batch.job import BatchJob, LoggedRequests

        settings = self._settings
        if not settings.prediction_log:
            raise ReplayFailed(rollout.name, "there is no prediction log: RAYGATE_LOG_URI is empty")
        return BatchJob(
            model=rollout.model,
            version=rollout.candidate,
            input=settings.prediction_log,
            output=str(settings.state / "replays" / f"{rollout.name}-{rollout.state.step}"),
            output_format=FileFormat.PARQUET,
            replay=LoggedRequests(
                since=rollout.started - step.replay,
                until=rollout.started,
                version=rollout.stable,
                keys=settings.log_keys or f"file:{settings.state / 'log.key'}",
            ),
        )

    def _truth(self, rollout: Rollout, step: ReplayStep) -> dict[str, str]:
        """Labels by prediction."""
        from deployments.prediction_log import labels

        feedback = labels.read_feedback(self._settings.prediction_log, since=rollout.started - step.replay)
        rows = feedback.select(["prediction_id", "label"]).to_pylist()
        return {row["prediction_id"]: row["label"] for row in rows if row["label"] is not None}


def compared(scored: pa.Table, truth: dict[str, str]) -> Replayed:
    """Candidate and stable on the same requests.

    Args:
        scored: What stable had answered beside what the candidate answers.
        truth: Labels by the id of the logged prediction.
    """
    rows = disagreements = 0
    ours: list[float] = []
    theirs: list[float] = []
    for row in scored.to_pylist():
        answered, logged = str(row["prediction"]), row["logged_prediction"]
        if logged is None:
            continue
        rows += 1
        disagreements += answered != logged
        if (label := truth.get(row["logged_prediction_id"])) is not None:
            ours.append(float(answered == label))
            theirs.append(float(logged == label))
    told = f"{rows} requests" if rows else "no logged request of that time was answered by stable"
    return Replayed(True, told, rows, disagreements, Sample.of(ours), Sample.of(theirs))


def _scored(output: str) -> pa.Table:
    import pyarrow.dataset as ds

    return ds.dataset(output, format="parquet", exclude_invalid_files=True).to_table(columns=_COLUMNS)
