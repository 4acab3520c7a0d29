"""What an endpoint's own pre- and post-transformer are given, and how a pre-transformer refuses a document.

A module of transformers that is shipped with a package imports this one: its path and its names are frozen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from deployments.contracts.errors import RaygateError
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.prediction import Label

if TYPE_CHECKING:
    from deployments.contracts.traffic_policy import Transformer

DOCUMENT = "document"
"""The one column in which documents travel to a pool: the caller's JSON, as it came."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a post-transformer makes an answer of.

    Attributes:
        prediction: The returned label, the value of a regression, or the values of several targets by name.
        probability: Of the returned label; None for a regression.
        probabilities: Of every class by its label's text; empty for a regression.
        model_version: Number of the version that predicted.
        prediction_id: Feedback refers to it.
        at: When the document was asked about, UTC. A transformer looks at no other clock, so that the same
            document can be asked again as of the same time.
    """

    prediction: Label | dict[str, float]
    probability: float | None
    probabilities: dict[str, float]
    model_version: str
    prediction_id: str
    at: datetime


class DocumentRefused(RaygateError):
    """A document is not what it should be, for a reason that its type cannot say. Pre-transformers raise it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)
        self.field, self.message = field, message

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class DocumentSchemas(BaseModel):
    """JSON schemas of an endpoint's documents, from the types of its transformers.

    Attributes:
        request: Of what callers send.
        answer: Of what they get.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: dict[str, Any]
    answer: dict[str, Any]


def row_schema(pre: Transformer, post: Transformer) -> FeatureSchema:
    """Documents as rows of one text: what a gateway sends where a pool is to transform.

    The transformers are part of its fingerprint, so a pool that was told of others refuses instead of guessing.
    """
    column = Feature(name=DOCUMENT, kind=FeatureKind.TEXT, description=f"{pre} {post}", pii=True)
    return FeatureSchema(features=(column,))
