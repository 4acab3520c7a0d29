"""Batches as Ray jobs: submitted, asked for, listed and cancelled through the dashboard's REST API.

Ray is the store: what a batch is to do stands in its job's metadata, so every gateway and every command sees the
same batches, in the Ray dashboard too. A batch's id follows from its idempotency key: sent twice it runs once.
"""

from __future__ import annotations

import hashlib
import shlex
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson

from deployments.batch.errors import BatchKeyConflict, UnknownBatchJob
from deployments.batch.estimate import Measured
from deployments.batch.job import BatchJob
from deployments.batch.ray_jobs import RayJobs

JOB_VARIABLE, JOB_ID_VARIABLE = "RAYGATE_BATCH_JOB", "RAYGATE_BATCH_JOB_ID"
"""What a submitted job is to do, as JSON, and its id: nobody has to quote them for a shell."""
MODULE = "ray_apps.batch_score"
_JOB, _CALLER, _SIZE, _SUBMITTED = "raygate_batch", "raygate_caller", "raygate_size", "raygate_submitted"
_REQUEST = "raygate_request"


class BatchState(StrEnum):
    """How far a batch is, to its callers."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_end(self) -> bool:
        """Whether nothing more happens."""
        return self not in (BatchState.QUEUED, BatchState.RUNNING)


_STATES = {
    "PENDING": BatchState.QUEUED,
    "RUNNING": BatchState.RUNNING,
    "SUCCEEDED": BatchState.SUCCEEDED,
    "FAILED": BatchState.FAILED,
    "STOPPED": BatchState.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class SubmittedBatch:
    """A batch that Ray knows.

    Attributes:
        job_id: Ray's submission id.
        job: What it is to do.
        caller: Who submitted it.
        size: Bytes of its input when it was submitted.
        submitted: When.
        request: SHA-256 of the request that asked for it.
        state: How far it is.
        seconds: From its start to its end; None before the end.
        error: What its process said when it failed; empty if it said nothing.
    """

    job_id: str
    job: BatchJob
    caller: str
    size: int
    submitted: datetime
    request: str
    state: BatchState
    seconds: float | None = None
    error: str = ""


def job_id_of(caller: str, key: str | None) -> str:
    """The id of a batch: the same for the same caller and key, else a new one."""
    if key is None:
        return f"batch-{uuid.uuid4().hex[:20]}"
    digest = hashlib.blake2b(f"{caller}\0{key}".encode(), digest_size=10).hexdigest()
    return f"batch-{digest}"


class BatchJobs:
    """The batches of one Ray cluster.

    Args:
        address: Base URL of its dashboard.
        python: Python there that has Raygate installed.
    """

    def __init__(self, address: str, python: str = "python") -> None:
        self._jobs, self._python = RayJobs(address), python

    def submit(
        self, job: BatchJob, job_id: str, caller: str, size: int, now: datetime, request: str
    ) -> SubmittedBatch:
        """Submit a batch, or find it: the same id with the same content runs once.

        Args:
            job: What it is to do.
            job_id: From ``job_id_of``.
            caller: Who submits it.
            size: Bytes of its input.
            now: The time.
            request: As it was sent. The job that follows from it may be another one the next time, after a
                promotion for example, and the batch is the same.

        Raises:
            BatchKeyConflict: The id was used for another batch.
            JobsUnavailable: Ray does not answer, or does not take it.
        """
        digest = _digest(request)
        before = self.submitted(job_id, request)
        if before is None:
            content = job.model_dump_json(by_alias=True)
            document = {
                "submission_id": job_id,
                "entrypoint": f"{shlex.quote(self._python)} -m {MODULE}",
                "runtime_env": {"env_vars": {JOB_VARIABLE: content, JOB_ID_VARIABLE: job_id}},
                "metadata": {
                    _JOB: content,
                    _CALLER: caller,
                    _SIZE: str(size),
                    _SUBMITTED: now.isoformat(),
                    _REQUEST: digest,
                },
            }
            if self._jobs.submit(document):
                return SubmittedBatch(job_id, job, caller, size, now, digest, BatchState.QUEUED)
            before = self.submitted(job_id, request)  # somebody else was faster with the same key
            if before is None:
                raise BatchKeyConflict(job_id)
        return before

    def submitted(self, job_id: str, request: str) -> SubmittedBatch | None:
        """The batch that a request asked for before; None if it did not.

        Raises:
            BatchKeyConflict: The id was used for another batch.
            JobsUnavailable: Ray does not answer.
        """
        before = self._found(job_id)
        if before is not None and before.request != _digest(request):
            raise BatchKeyConflict(job_id)
        return before

    def get(self, job_id: str) -> SubmittedBatch:
        """A batch by its id.

        Raises:
            UnknownBatchJob: There is none.
            JobsUnavailable: Ray does not answer.
        """
        found = self._found(job_id)
        if found is None:
            raise UnknownBatchJob(job_id)
        return found

    def all(self) -> list[SubmittedBatch]:
        """Every batch that Ray remembers, the newest first.

        Raises:
            JobsUnavailable: Ray does not answer.
        """
        found = [batch for details in self._jobs.all() if (batch := _batch(details)) is not None]
        return sorted(found, key=lambda batch: batch.submitted, reverse=True)

    def cancel(self, job_id: str) -> None:
        """Ask a batch to stop; what it has committed stays, and the same batch goes on from there.

        Raises:
            UnknownBatchJob: There is none.
            JobsUnavailable: Ray does not answer, or cannot stop it.
        """
        self.get(job_id)
        self._jobs.stop(job_id)

    def measured(self, model: str) -> list[Measured]:
        """What batches of a model took that are done.

        Raises:
            JobsUnavailable: Ray does not answer.
        """
        return [
            Measured(batch.size, batch.seconds)
            for batch in self.all()
            if batch.state is BatchState.SUCCEEDED and batch.job.model == model and batch.seconds
        ]

    def _found(self, job_id: str) -> SubmittedBatch | None:
        details = self._jobs.details(job_id)
        return None if details is None else _batch(details)


def _digest(request: str) -> str:
    return hashlib.sha256(request.encode()).hexdigest()


def _batch(details: dict[str, Any]) -> SubmittedBatch | None:
    """A job's details as a batch; None for a job that is none, or of another release."""
    metadata = details.get("metadata") or {}
    if _JOB not in metadata:
        return None
    try:
        job = BatchJob.model_validate_json(metadata[_JOB])
    except ValueError:
        return None
    begin, end = details.get("start_time"), details.get("end_time")
    return SubmittedBatch(
        job_id=details["submission_id"],
        job=job,
        caller=metadata[_CALLER],
        size=int(metadata[_SIZE]),
        submitted=datetime.fromisoformat(metadata[_SUBMITTED]).astimezone(UTC),
        request=metadata[_REQUEST],
        state=_STATES.get(details["status"], BatchState.RUNNING),
        seconds=(end - begin) / 1000 if begin and end else None,
        error=last_words(details.get("message") or ""),
    )


def last_words(message: str) -> str:
    """Why a job failed: Ray's message of it ends with the last lines of its log."""
    for line in reversed(message.splitlines()):
        try:
            said = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(said, dict) and said.get("event") == "failed":
            return str(said.get("message", ""))
    return ""
