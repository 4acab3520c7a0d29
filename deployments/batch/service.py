"""What commands and gateways do with batches: submit with an estimate, and say how far one is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel

from deployments.batch import estimate, logged_requests, places
from deployments.batch.job import BatchJob
from deployments.batch.ledger import Ledger, Progress
from deployments.batch.submission import BatchJobs, BatchState, SubmittedBatch, job_id_of
from deployments.contracts.errors import RaygateError

Charging = Callable[[BatchJob], AbstractContextManager[BatchJob]]
"""Yields the job as it is submitted; takes back what it charged where that fails."""


class BatchProgress(BaseModel, frozen=True):
    """Figures of a batch that has begun."""

    rows: int
    rows_total: int | None
    rejected: int
    bytes_done: int
    bytes_total: int
    rows_per_second: float


class BatchStatus(BaseModel, frozen=True):
    """A batch as its caller sees it."""

    job_id: str
    status: BatchState
    model: str
    input_file: str
    output_file: str
    submitted: datetime
    estimated_completion: datetime | None = None
    progress: BatchProgress | None = None
    error: str = ""


class BatchService:
    """Batches of one Ray cluster.

    Args:
        jobs: Of the cluster.
        now: The time.
    """

    def __init__(self, jobs: BatchJobs, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.jobs, self._now = jobs, now

    def submit(
        self, job: BatchJob, caller: str, key: str | None, request: str, charging: Charging = nullcontext
    ) -> BatchStatus:
        """Submit a batch once, however often it is sent with its key.

        Args:
            job: What it is to do.
            caller: Who sends it.
            key: Its idempotency key, or None.
            request: As it was sent, whatever it means today.
            charging: Charges the caller for a batch that is new; what it raises is refused before anything runs.

        Raises:
            InvalidBatchJob: A place is none.
            NothingToScore: The input is not there.
            BatchKeyConflict: The key was used for another batch.
            JobsUnavailable: Ray does not answer.
        """
        job_id = job_id_of(caller, key)
        before = self.jobs.submitted(job_id, request) if key is not None else None
        if before is not None:  # its input may have gone since
            return self.status(before)
        places.place(job.output, "output")
        size = input_size(job)
        now = self._now()
        with charging(job) as charged:
            batch = self.jobs.submit(charged, job_id, caller, size, now, request)
        if batch.submitted != now:
            return self.status(batch)
        done = estimate.completion(now, size, self.jobs.measured(job.model))
        return _status(batch, estimated_completion=done)

    def status(self, batch: SubmittedBatch) -> BatchStatus:
        """How far a batch is, by what its job says and what stands beside its output."""
        progress = _progress(batch)
        if batch.state.is_end:
            failed = batch.state is BatchState.FAILED
            # What stands beside the output may be of an earlier job that had the same output.
            error = batch.error or (progress.error if progress else "") or "its process ended"
            return _status(batch, progress, error=error if failed else "")
        return _status(batch, progress, estimated_completion=self._completion(batch, progress))

    def _completion(self, batch: SubmittedBatch, progress: Progress | None) -> datetime:
        now = self._now()
        if progress is not None and progress.rows_per_second > 0 and progress.bytes_done:
            rows_left = progress.rows / progress.bytes_done * (progress.bytes_total - progress.bytes_done)
            return now + timedelta(seconds=rows_left / progress.rows_per_second)
        done = estimate.completion(batch.submitted, batch.size, self.jobs.measured(batch.job.model))
        return max(done, now)


def input_size(job: BatchJob) -> int:
    """Bytes of a batch's input.

    Raises:
        InvalidBatchJob: The input names no place.
        NothingToScore: There is nothing, or it cannot be read.
    """
    if job.replay is not None:
        _, files = logged_requests.logged_files(job.input, job.replay, job.model)
    else:
        _, files = places.input_files(job.input)
    return sum(file.size for file in files)


def _progress(batch: SubmittedBatch) -> Progress | None:
    if batch.state is BatchState.QUEUED:
        return None
    try:
        return Ledger(places.place(batch.job.output, "output")).progress()
    except RaygateError:
        return None  # whoever asks may not read the output; the job's state is known all the same


def _status(
    batch: SubmittedBatch,
    progress: Progress | None = None,
    estimated_completion: datetime | None = None,
    error: str = "",
) -> BatchStatus:
    shown = progress and BatchProgress.model_validate(progress.model_dump(include=set(BatchProgress.model_fields)))
    return BatchStatus(
        job_id=batch.job_id,
        status=batch.state,
        model=batch.job.model,
        input_file=batch.job.input,
        output_file=batch.job.output,
        submitted=batch.submitted,
        estimated_completion=estimated_completion,
        progress=shown,
        error=error,
    )
