"""Logged requests through a version that is packaged, as a batch, compared with what was answered then.

A step of a rollout's plan and ``raygate replay`` ask for the same thing and get the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.package import METADATA, SCHEMA, ModelMetadata
from deployments.rollout import schema_check
from deployments.rollout.analysis.replay import Replayed
from deployments.rollout.errors import ReplayFailed, ReplayNotPossible
from deployments.runtime import package
from deployments.runtime.model_store import ModelStore
from ray_apps import gateway_arguments
from ray_apps.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from deployments.batch.errors import NothingToScore
    from deployments.batch.job import BatchJob
    from deployments.batch.service import BatchService
    from deployments.contracts.rollout_plan import ReplayStep
    from deployments.rollout.state import Rollout
    from deployments.storage.location import Location

_ROWS_AT_A_TIME = 1_000_000


@dataclass(frozen=True, slots=True)
class WantedReplay:
    """Requests that one version answered, to be answered by another.

    Attributes:
        name: However often a replay of that name is asked for, its batch runs once.
        model: Registered model of both.
        stable: The version whose answers are compared with.
        candidate: The version that answers; it need not be served.
        since: Requests of this moment and later.
        until: Requests before this moment.
        output: Directory or prefix for the answers; personal data stands in clear there.
    """

    name: str
    model: str
    stable: Version
    candidate: Version
    since: datetime
    until: datetime
    output: str


def wanted(rollout: Rollout, step: ReplayStep, root: str) -> WantedReplay:
    """The replay that a step of a rollout asks for, always the same one: whoever is killed asks for it again.

    Args:
        rollout: That is at the step.
        step: Of its plan.
        root: Directory or prefix below which replays leave what they leave.
    """
    position = rollout.state.step
    return WantedReplay(
        name=f"{rollout.name}/{position}",
        model=rollout.model,
        stable=rollout.stable,
        candidate=rollout.candidate,
        since=rollout.started - step.replay,
        until=rollout.started,
        output=f"{root}/{rollout.name}-{position}",
    )


class Replays:
    """Replays as batches of the prediction log, on the Ray that runs batches.

    Args:
        settings: Where the log, its keys, the packages and Ray are.
        caller: Who asks; of another caller a replay of the same name is another one.
    """

    def __init__(self, settings: Settings, caller: str) -> None:
        self._settings, self._caller = settings, caller

    def look(self, asked: WantedReplay) -> Replayed:
        """How far a replay is, and what came of it; begins it where it has not begun. Asked again and again.

        Raises:
            ReplayNotPossible: There is no log, or the two versions cannot be compared.
            PackageNotFound: The store does not hold one of them.
            PackageRejected: The candidate is not signed by somebody who is believed.
            ReplayFailed: Its batch failed.
            RaygateError: Nobody can tell.
        """
        from deployments.batch.errors import NothingToScore
        from deployments.batch.submission import BatchState

        check(asked, self._settings)
        job = batch_of(asked, self._settings)
        try:
            found = self._service().submit(job, self._caller, asked.name, job.model_dump_json())
        except NothingToScore as error:
            return of_nothing(error)
        if not found.status.is_end:
            done = found.progress.rows if found.progress else 0
            return Replayed(is_done=False, told=f"{found.job_id} is {found.status}, {done} requests so far")
        if found.status is not BatchState.SUCCEEDED:
            raise ReplayFailed(found.job_id, found.error or found.status.value)
        return compared(asked, self._settings)

    def cancel(self, asked: WantedReplay) -> bool:
        """Ask a replay to stop; whether nothing of it runs any more.

        Raises:
            RaygateError: Ray does not answer.
        """
        from deployments.batch.errors import UnknownBatchJob
        from deployments.batch.submission import job_id_of

        service, job_id = self._service(), job_id_of(self._caller, asked.name)
        try:
            if not service.jobs.get(job_id).state.is_end:
                service.jobs.cancel(job_id)
            return service.jobs.get(job_id).state.is_end
        except UnknownBatchJob:
            return True

    def _service(self) -> BatchService:
        from deployments.batch.service import BatchService
        from deployments.batch.submission import BatchJobs

        policy = gateway_arguments.batch_policy(self._settings)
        return BatchService(BatchJobs(policy.jobs_address, policy.python))


def check(asked: WantedReplay, settings: Settings) -> None:
    """Refuse what would come to nothing before anything runs.

    Raises:
        ReplayNotPossible: There is no log, or the two versions cannot be compared.
        PackageNotFound: The store does not hold one of them.
        PackageRejected: The candidate is not signed by somebody who is believed.
    """
    store = ModelStore(settings.models, settings.signers)
    versions = (asked.stable, asked.candidate)
    store.digest(asked.model, asked.candidate)  # it is loaded; of the other one only its answers are
    stable, candidate = (store.find(asked.model, version) for version in versions)
    schemas = (package.peek(directory, SCHEMA, FeatureSchema) for directory in (stable, candidate))
    reasons = list(schema_check.narrower(*schemas))
    if not all(package.peek(each, METADATA, ModelMetadata).classes for each in (stable, candidate)):
        reasons.append("labels are compared, and it is a regression")
    if not settings.prediction_log:
        reasons.append("there is no prediction log: RAYGATE_LOG_URI is empty")
    if reasons:
        candidate_name, stable_name = (str(ModelVersion(asked.model, one)) for one in reversed(versions))
        raise ReplayNotPossible(candidate_name, stable_name, "; ".join(reasons))


def batch_of(asked: WantedReplay, settings: Settings) -> BatchJob:
    """The batch that lets the candidate answer."""
    from deployments.batch.file_format import FileFormat
    from deployments.batch.job import BatchJob, LoggedRequests

    return BatchJob(
        model=asked.model,
        version=asked.candidate,
        input=settings.prediction_log,
        output=asked.output,
        output_format=FileFormat.PARQUET,
        replay=LoggedRequests(
            since=asked.since,
            until=asked.until,
            version=asked.stable,
            keys=settings.log_keys or f"file:{settings.state / 'log.key'}",
        ),
    )


def of_nothing(error: NothingToScore) -> Replayed:
    """What a replay comes to that finds no request.

    Raises:
        InputUnreachable: Nobody can tell whether there are any.
    """
    from deployments.batch.errors import InputUnreachable

    if isinstance(error, InputUnreachable):
        raise error
    return Replayed(is_done=True, told=str(error))


def compared(asked: WantedReplay, settings: Settings) -> Replayed:
    """What came of a batch that has ended.

    Raises:
        ReplayFailed: Its output is not complete.
        StorageUnreachable: Output or log cannot be read.
    """
    from deployments.batch import places
    from deployments.batch.ledger import Ledger
    from deployments.prediction_log import labels
    from ray_apps import replay_comparison

    output = places.place(asked.output, "output")
    manifest = Ledger(output).manifest()
    if manifest is None:
        raise ReplayFailed(asked.name, f"{output.shown} is not complete")
    feedback = labels.read_feedback(settings.prediction_log, since=asked.since)
    truth = labels.latest(feedback)
    answers = _batches(output, [file.path for file in manifest.files])
    return replay_comparison.compared(answers, truth, manifest.rejected)


def _batches(output: Location, files: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The answers, some at a time: there may be more than memory holds."""
    import pyarrow.dataset as ds

    from ray_apps.replay_comparison import COLUMNS

    for file in files:
        answers = ds.dataset(output.full(file), filesystem=output.filesystem, format="parquet")
        yield from answers.to_batches(columns=list(COLUMNS), batch_size=_ROWS_AT_A_TIME)
