"""What gateway and version pool say to each other.

They restart separately and may be of different releases, so this is a contract of its own: plain dictionaries of
bytes, numbers and strings, never a pickled class of the project. A receiver refuses a contract version that it
does not know; fields may be added within a version, and an unknown field is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.contracts.document_reply import DocumentReply
from deployments.contracts.errors import WireMismatch
from deployments.contracts.explanations import Explanations
from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.package import ModelMetadata
from deployments.contracts.reference_profile import ReferenceProfile
from deployments.contracts.transformation import DocumentSchemas

CONTRACT_VERSION = 1

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows of validated features as columns, n rows.

    Attributes:
        numeric: float64, shape (n, number of numeric features); what is invalid holds 0.
        valid: bool, same shape; False where the feature is null.
        textual: One list of n texts or Nones for each textual feature.
    """

    numeric: Floats
    valid: Flags
    textual: tuple[list[str | None], ...] = ()

    def __len__(self) -> int:
        return int(self.numeric.shape[0])


@dataclass(frozen=True, slots=True)
class PoolRequest:
    """Rows of one or more callers for one model version.

    Attributes:
        schema_fingerprint: Of the schema that the rows were validated against.
        columns: The rows.
        prediction_ids: One a row.
        budget_seconds: How long the callers still wait, from the sending on. Not a point in time: clocks of two
            machines differ, and a clock can step.
        gateway: Identity of the sending gateway replica.
        backlog: Rows that wait or are in flight for this version in that gateway.
        traceparent: W3C trace context, or empty.
        explain: Positions of the rows that are to be explained.
    """

    schema_fingerprint: str
    columns: Columns
    prediction_ids: list[str]
    budget_seconds: float
    gateway: str = ""
    backlog: int = 0
    traceparent: str = ""
    explain: tuple[int, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """The request as a dictionary of plain data."""
        plain = {
            "contract": CONTRACT_VERSION,
            "schema": self.schema_fingerprint,
            "rows": len(self.columns),
            "numeric": self.columns.numeric.tobytes(),
            "valid": self.columns.valid.tobytes(),
            "textual": list(self.columns.textual),
            "ids": self.prediction_ids,
            "budget_seconds": self.budget_seconds,
            "gateway": self.gateway,
            "backlog": self.backlog,
            "traceparent": self.traceparent,
        }
        return {**plain, "explain": list(self.explain)} if self.explain else plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> PoolRequest:
        """Read a request.

        Raises:
            WireMismatch: The sender speaks another contract version.
        """
        _check_contract(plain)
        rows = plain["rows"]
        columns = Columns(
            numeric=np.frombuffer(plain["numeric"], dtype=np.float64).reshape(rows, -1),
            valid=np.frombuffer(plain["valid"], dtype=np.bool_).reshape(rows, -1),
            textual=tuple(plain["textual"]),
        )
        return cls(
            schema_fingerprint=plain["schema"],
            columns=columns,
            prediction_ids=plain["ids"],
            budget_seconds=plain["budget_seconds"],
            gateway=plain.get("gateway", ""),
            backlog=plain.get("backlog", 0),
            traceparent=plain.get("traceparent", ""),
            explain=tuple(plain.get("explain", ())),
        )


@dataclass(frozen=True, slots=True)
class PoolReply:
    """Scores for the rows of one request, in their order.

    Attributes:
        digest: Digest of the package that answered.
        path: ``compiled`` or ``native``.
        scores: float64, shape (n, k): a probability for each of k classes, or the values of a regression.
            A row that failed holds NaN.
        errors: Why a row has no score, by its position: ``model_error`` or ``not_finite``.
        model_seconds: Time spent in the model.
        refusal: Empty, or why no row was looked at (``schema``: fingerprints differ; ``expired``: too late).
        explanations: Of the rows that asked; None if none did, or if the pool is of a release without them.
        documents: What the endpoint's transformers made of the rows; None where features were sent.
        replica: Name of the replica that answered, its own for as long as it lives; empty if it does not tell.
    """

    digest: str
    path: str
    scores: Floats
    errors: dict[int, str] = field(default_factory=dict)
    model_seconds: float = 0.0
    refusal: str = ""
    explanations: Explanations | None = None
    documents: DocumentReply | None = None
    replica: str = ""

    def to_plain(self) -> dict[str, Any]:
        """The reply as a dictionary of plain data."""
        plain: dict[str, Any] = {
            "contract": CONTRACT_VERSION,
            "digest": self.digest,
            "path": self.path,
            "rows": int(self.scores.shape[0]),
            "scores": self.scores.tobytes(),
            "errors": self.errors,
            "model_seconds": self.model_seconds,
            "refusal": self.refusal,
            "replica": self.replica,
        }
        if self.explanations:
            plain["explanations"] = self.explanations.to_plain()
        if self.documents:
            plain["documents"] = self.documents.to_plain()
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> PoolReply:
        """Read a reply.

        Raises:
            WireMismatch: The pool speaks another contract version.
        """
        _check_contract(plain)
        rows = plain["rows"]
        scores = np.frombuffer(plain["scores"], dtype=np.float64)
        explanations, documents = plain.get("explanations"), plain.get("documents")
        return cls(
            digest=plain["digest"],
            path=plain["path"],
            scores=scores.reshape(rows, -1) if rows else scores.reshape(0, 0),
            errors=plain["errors"],
            model_seconds=plain["model_seconds"],
            refusal=plain.get("refusal", ""),
            explanations=None if explanations is None else Explanations.from_plain(explanations),
            documents=None if documents is None else DocumentReply.from_plain(documents),
            replica=plain.get("replica", ""),
        )


@dataclass(frozen=True, slots=True)
class PoolDescription:
    """What a pool tells a gateway when the gateway warms its handle.

    Attributes:
        digest: Of its package.
        schema: Features that the model takes.
        metadata: How its scores are to be read.
        reference: Distributions of the training data.
        documents: Schemas of the documents that it takes besides; None where it was given no transformers.
        directory: Where its package lies, as replicas see it; empty if the pool does not tell.
    """

    digest: str
    schema: FeatureSchema
    metadata: ModelMetadata
    reference: ReferenceProfile
    documents: DocumentSchemas | None = None
    directory: str = ""

    def to_plain(self) -> dict[str, Any]:
        """The description as a dictionary of plain data."""
        plain = {
            "contract": CONTRACT_VERSION,
            "digest": self.digest,
            "schema": self.schema.model_dump(mode="json"),
            "schema_fingerprint": self.schema.fingerprint,
            "metadata": self.metadata.model_dump(mode="json"),
            "reference": self.reference.model_dump(mode="json"),
            "directory": self.directory,
        }
        return {**plain, "documents": self.documents.model_dump(mode="json")} if self.documents else plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> PoolDescription:
        """Read a description; what a newer pool tells besides is ignored.

        Raises:
            WireMismatch: The pool speaks another contract version, or its schema says what this release cannot
                read: rows validated without that would be refused one by one.
        """
        _check_contract(plain)
        schema, documents = FeatureSchema.model_validate(plain["schema"], extra="ignore"), plain.get("documents")
        theirs = plain.get("schema_fingerprint", schema.fingerprint)
        if theirs != schema.fingerprint:
            raise WireMismatch("feature schemas", schema.fingerprint, theirs)
        return cls(
            digest=plain["digest"],
            schema=schema,
            metadata=ModelMetadata.model_validate(plain["metadata"], extra="ignore"),
            reference=ReferenceProfile.model_validate(plain["reference"], extra="ignore"),
            documents=None if documents is None else DocumentSchemas.model_validate(documents, extra="ignore"),
            directory=plain.get("directory", ""),
        )


def _check_contract(plain: Mapping[str, Any]) -> None:
    theirs = plain.get("contract")
    if theirs != CONTRACT_VERSION:
        raise WireMismatch("wire contracts", str(CONTRACT_VERSION), str(theirs))
