"""What a batch is asked to do."""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from deployments.batch.errors import InvalidBatchJob
from deployments.batch.file_format import FileFormat
from deployments.contracts.errors import FieldProblem
from deployments.contracts.model_version import Version
from deployments.contracts.secret_reference import SecretReference
from deployments.contracts.traffic_policy import Documents, TrafficPolicy

REJECTED_LIMIT = 1000


class LoggedRequests(BaseModel):
    """The input is a prediction log: its requests are scored again, by another version as a rule.

    Attributes:
        since: Requests of the hours from this moment on.
        until: Requests of the hours before this moment.
        version: Only what this version answered.
        keys: Where the keys are that decrypt personal data; needed if a feature is personal data.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    version: Version | None = None
    keys: SecretReference | None = None


def documents_of(policy: TrafficPolicy | None, asked_by: str) -> Documents:
    """The transformers of an endpoint.

    Args:
        policy: Of the endpoint, or None without one.
        asked_by: Which field or option asks for them, for errors.

    Raises:
        InvalidBatchJob: There are none.
    """
    if policy is None or policy.documents is None:
        of = "no endpoint is named" if policy is None else f"{policy.endpoint} takes features alone"
        raise InvalidBatchJob((FieldProblem(asked_by, f"needs an endpoint with documents; {of}"),))
    return policy.documents


class BatchJob(BaseModel):
    """One batch, whole: two jobs with the same ``identity`` write the same output.

    Attributes:
        model: Registered model.
        version: The version that scores every row, or None.
        policy: Of an endpoint whose split decides for every row, or None.
        input: A file or a prefix: a path, or ``s3://bucket/key``; for a replay the root of the prediction log.
        output: A directory or a prefix, which must be empty or hold the beginning of this job.
        output_format: None is the format of the input.
        partition_by: Column whose values become folders ``column=value``, or None.
        rows_per_file: Rows of one file of the output, about: what a crash makes a worker do again.
        header_columns: Columns that stand for request headers (by lower-case name) in sticky assignment and rules.
        explanations: Whether every row is explained; costs many times the scoring.
        max_rejected_rows: Rows that may not fit the model before the job stops.
        replay: The input is a prediction log.
        documents: Transformers of the packages, where the rows are an endpoint's documents and not features.
        callback_url: Gets the end state, or None.
        charged_rows: What the caller's quota was charged for: an input that has more rows by now is not scored.
            None where nothing is charged.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["batch"] = "batch"
    model: str
    version: Version | None = None
    policy: TrafficPolicy | None = None
    input: str = Field(min_length=1)
    output: str = Field(min_length=1)
    output_format: FileFormat | None = None
    partition_by: str | None = None
    rows_per_file: int = Field(default=250_000, ge=1000)
    header_columns: dict[str, str] = {}
    explanations: bool = False
    max_rejected_rows: int = Field(default=REJECTED_LIMIT, ge=0)
    replay: LoggedRequests | None = None
    documents: Documents | None = None
    callback_url: str | None = None
    charged_rows: int | None = None

    @model_validator(mode="after")
    def _has_one_way_to_a_version(self) -> BatchJob:
        if (self.version is None) == (self.policy is None):
            raise ValueError("needs either the version that scores every row or the policy of an endpoint")
        if self.documents is not None and self.explanations:
            raise ValueError("answers to documents are not explained; leave out explanations or documents")
        if self.documents is not None and self.replay is not None:
            raise ValueError("a prediction log holds features, no documents; leave out documents")
        return self

    @property
    def identity(self) -> str:
        """SHA-256 (first 16 hex digits) of all that decides what is written."""
        left_out = {"callback_url", "charged_rows", "max_rejected_rows"}
        if self.documents is None:  # a job that was begun before there were any is the same job
            left_out.add("documents")
        decisive = self.model_dump_json(exclude=left_out, by_alias=True)
        return hashlib.sha256(decisive.encode()).hexdigest()[:16]
