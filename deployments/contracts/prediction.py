"""What callers send and receive: the documents of ``POST /api/v1/predict``.

The gateway's hot path reads and writes these shapes without building the models (see ``gateway/scoring.py``);
the models are the source of the OpenAPI document and of the clients' types.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

Label = str | bool | int | float


class PredictOptions(BaseModel):
    """What the answer is to contain besides the prediction."""

    model_config = ConfigDict(extra="forbid", strict=True)

    return_probabilities: bool = Field(default=False, description="add the probability of every class")


class PredictRequest(BaseModel):
    """Rows for one model. ``features`` is one object, or a list of them."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model_id: str = Field(description="name of the endpoint", examples=["credit-risk"])
    features: dict[str, float | int | bool | str | None] | list[dict[str, float | int | bool | str | None]]
    options: PredictOptions = PredictOptions()


class Told(BaseModel):
    """Something that did not prevent an answer but that the caller should know."""

    row: int = Field(description="position in the request, from 0")
    field: str
    message: str


class RowPrediction(BaseModel):
    """The answer for one row."""

    prediction: Label | None = Field(description="the label, or the value of a regression")
    probability: float | None = Field(default=None, description="of the returned label; absent for a regression")
    probabilities: dict[str, float] | None = Field(default=None, description="of every class, when asked for")
    prediction_id: str = Field(description="UUIDv7; feedback refers to it")
    error: ProblemDocument | None = Field(default=None, description="why this row has no prediction")


class PredictResponse(BaseModel):
    """The answer for one row, given as an object."""

    model_id: str
    model_version: str = Field(description="the version that answered", examples=["1.0.0"])
    prediction: Label
    probability: float | None = Field(default=None, description="of the returned label; absent for a regression")
    probabilities: dict[str, float] | None = Field(default=None, description="of every class, when asked for")
    prediction_id: str = Field(description="UUIDv7; feedback refers to it")
    timestamp: datetime = Field(description="RFC 3339, UTC")
    warnings: list[Told] | None = None


class PredictRowsResponse(BaseModel):
    """The answer for a list of rows, in their order."""

    model_id: str
    model_version: str = Field(description="the version that answered", examples=["1.0.0"])
    predictions: list[RowPrediction]
    timestamp: datetime = Field(description="RFC 3339, UTC")
    warnings: list[Told] | None = None


class ProblemDocument(BaseModel):
    """An error: what happened, this occurrence of it, and a code out of a closed list."""

    error: str
    details: str
    code: str = Field(examples=["VALIDATION_ERROR"])


RowPrediction.model_rebuild()
