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

from deployments.contracts.errors import WireMismatch
from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.package import ModelMetadata
from deployments.contracts.reference_profile import ReferenceProfile

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
    """

    schema_fingerprint: str
    columns: Columns
    prediction_ids: list[str]
    budget_seconds: float
    gateway: str = ""
    backlog: int = 0
    traceparent: str = ""

    def to_plain(self) -> dict[str, Any]:
        """The request as a dictionary of plain data."""
        return {
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
        )


@dataclass(frozen=True, slots=True)
class PoolReply:
    """Scores for the rows of one request, in their order.

    Attributes:
        digest: Digest of the package that answered.
        path: ``compiled`` or ``native``.
        scores: float64, shape (n, k): a probability for each of k classes, or one value for a regression.
            A row that failed holds NaN.
        errors: Why a row has no score, by its position: ``model_error`` or ``not_finite``.
        model_seconds: Time spent in the model.
        refusal: Empty, or why no row was looked at (``schema``: fingerprints differ; ``expired``: too late).
    """

    digest: str
    path: str
    scores: Floats
    errors: dict[int, str] = field(default_factory=dict)
    model_seconds: float = 0.0
    refusal: str = ""

    def to_plain(self) -> dict[str, Any]:
        """The reply as a dictionary of plain data."""
        return {
            "contract": CONTRACT_VERSION,
            "digest": self.digest,
            "path": self.path,
            "rows": int(self.scores.shape[0]),
            "scores": self.scores.tobytes(),
            "errors": self.errors,
            "model_seconds": self.model_seconds,
            "refusal": self.refusal,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> PoolReply:
        """Read a reply.

        Raises:
            WireMismatch: The pool speaks another contract version.
        """
        _check_contract(plain)
        rows = plain["rows"]
        scores = np.frombuffer(plain["scores"], dtype=np.float64)
        return cls(
            digest=plain["digest"],
            path=plain["path"],
            scores=scores.reshape(rows, -1) if rows else scores.reshape(0, 0),
            errors=plain["errors"],
            model_seconds=plain["model_seconds"],
            refusal=plain.get("refusal", ""),
        )


@dataclass(frozen=True, slots=True)
class PoolDescription:
    """What a pool tells a gateway when the gateway warms its handle."""

    digest: str
    schema: FeatureSchema
    metadata: ModelMetadata
    reference: ReferenceProfile

    def to_plain(self) -> dict[str, Any]:
        """The description as a dictionary of plain data."""
        return {
            "contract": CONTRACT_VERSION,
            "digest": self.digest,
            "schema": self.schema.model_dump(mode="json"),
            "metadata": self.metadata.model_dump(mode="json"),
            "reference": self.reference.model_dump(mode="json"),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> PoolDescription:
        """Read a description.

        Raises:
            WireMismatch: The pool speaks another contract version.
        """
        _check_contract(plain)
        return cls(
            digest=plain["digest"],
            schema=FeatureSchema.model_validate(plain["schema"]),
            metadata=ModelMetadata.model_validate(plain["metadata"]),
            reference=ReferenceProfile.model_validate(plain["reference"]),
        )


def _check_contract(plain: Mapping[str, Any]) -> None:
    theirs = plain.get("contract")
    if theirs != CONTRACT_VERSION:
        raise WireMismatch("wire contracts", str(CONTRACT_VERSION), str(theirs))
