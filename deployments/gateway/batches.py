"""``/api/v1/batch-predict``: files are scored by a job; the answer comes at once, the scores later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from deployments.access.access import Access
from deployments.access.caller import Caller
from deployments.access.roles import Permission
from deployments.batch import charged_rows
from deployments.batch.errors import UnknownBatchJob
from deployments.batch.file_format import FileFormat
from deployments.batch.job import REJECTED_LIMIT, BatchJob, documents_of
from deployments.batch.policy import BatchPolicy
from deployments.batch.service import BatchService, BatchStatus
from deployments.batch.submission import BatchJobs
from deployments.contracts.errors import UnknownVersion
from deployments.contracts.model_version import Version
from deployments.contracts.prediction import ProblemDocument
from deployments.gateway.asgi import CALLER
from deployments.gateway.scoring import Scoring

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": ProblemDocument, "description": "The body cannot be read."},
    403: {
        "model": ProblemDocument,
        "description": "The place, or the callback's address, is not open to callers.",
    },
    404: {"model": ProblemDocument, "description": "No such model, version or batch."},
    409: {"model": ProblemDocument, "description": "The Idempotency-Key was used for another batch."},
    422: {"model": ProblemDocument, "description": "The request is not valid, or there is nothing to score."},
    429: {"model": ProblemDocument, "description": "The caller's rows of the day do not suffice."},
    503: {"model": ProblemDocument, "description": "The cluster that runs jobs does not answer."},
}


class BatchRequest(BaseModel):
    """Files for one model."""

    model_config = ConfigDict(extra="forbid")

    model_id: str = Field(description="name of the endpoint", examples=["credit-risk"])
    input_file: str = Field(description="file or prefix", examples=["s3://loans/in/"])
    output_file: str = Field(description="prefix, empty or of this very batch", examples=["s3://loans/out/"])
    callback_url: str | None = Field(default=None, description="gets the end state, signed")
    model_version: Version | None = Field(default=None, description="for callers that may pin")
    assignment: Literal["champion", "split"] = Field(
        default="champion", description="split: every row to the version that its unit has online"
    )
    header_columns: dict[str, str] = Field(
        default={}, description="columns that stand for headers in sticky assignment and rules"
    )
    output_format: FileFormat | None = None
    partition_by: str | None = Field(default=None, description="column whose values become folders")
    return_explanations: bool = False
    documents: bool = Field(default=False, description="rows are the endpoint's own documents, not features")
    max_rejected_rows: int = Field(default=REJECTED_LIMIT, ge=0)


def router(scoring: Scoring, policy: BatchPolicy, access: Access) -> APIRouter:
    """The routes.

    Args:
        scoring: Knows the endpoints and their policies.
        policy: Where callers may read and write, and where the jobs run.
        access: Counts the rows of callers.
    """
    routes = APIRouter(tags=["batches"])
    service = BatchService(BatchJobs(policy.jobs_address, policy.python))

    @routes.post("/api/v1/batch-predict", status_code=202, responses=_PROBLEMS)
    def submit(
        asked: BatchRequest,
        request: Request,
        response: Response,
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
    ) -> BatchStatus:
        """Score files; sent again with its key the batch runs once."""
        caller: Caller = request.scope[CALLER]
        policy.check_location("input_file", asked.input_file)
        policy.check_location("output_file", asked.output_file)
        if asked.callback_url is not None:
            policy.check_callback(asked.callback_url)
        job = _job(asked, scoring, caller)
        charging = partial(_charged, access, caller)
        status = service.submit(job, caller.name, idempotency_key, asked.model_dump_json(), charging)
        response.headers["location"] = f"/api/v1/batch-predict/{status.job_id}"
        return status

    @routes.get("/api/v1/batch-predict/{job_id}", responses=_PROBLEMS)
    def status(job_id: str, request: Request) -> BatchStatus:
        """How far a batch is; one of somebody else's is none."""
        caller: Caller = request.scope[CALLER]
        batch = service.jobs.get(job_id)
        if batch.caller != caller.name and not caller.may(Permission.MANAGE_BATCHES):
            raise UnknownBatchJob(job_id)
        return service.status(batch)

    return routes


@contextmanager
def _charged(access: Access, caller: Caller, job: BatchJob) -> Iterator[BatchJob]:
    """Charge a caller that has a quota for the rows of a batch; what is not submitted after all costs nothing.

    Raises:
        QuotaExceeded: The caller's rows of the day do not suffice.
        InvalidBatchJob: Nobody knows how many rows there are.
        NothingToScore: There is nothing, or it cannot be read.
    """
    if not access.has_row_quota(caller):
        yield job
        return
    rows = charged_rows.count(job.input)
    access.spend(caller, rows)
    try:
        yield job.model_copy(update={"charged_rows": rows})
    except BaseException:
        access.give_back(caller, rows)
        raise


def _job(asked: BatchRequest, scoring: Scoring, caller: Caller) -> BatchJob:
    """The job that a request means, under the policy in force.

    Raises:
        UnknownEndpoint: No such model.
        UnknownVersion: It has no such version.
        Forbidden: The caller may not pin a version.
    """
    policy = scoring.endpoint(asked.model_id).policy
    if asked.model_version is not None:
        caller.require(Permission.PIN_VERSION)
        if asked.model_version not in policy.versions:
            raise UnknownVersion(str(asked.model_version), tuple(map(str, policy.versions)))
    split = asked.assignment == "split" and asked.model_version is None
    return BatchJob(
        model=policy.model,
        version=None if split else asked.model_version or policy.stable,
        policy=policy if split else None,
        input=asked.input_file,
        output=asked.output_file,
        output_format=asked.output_format,
        partition_by=asked.partition_by,
        header_columns={name.lower(): column for name, column in asked.header_columns.items()},
        explanations=asked.return_explanations,
        max_rejected_rows=asked.max_rejected_rows,
        documents=documents_of(policy, "documents") if asked.documents else None,
        callback_url=asked.callback_url,
    )
