"""What callers send and receive: the documents of ``POST /api/v1/predict``.

The gateway's hot path reads and writes these shapes without building the models (see ``gateway/scoring.py``);
the models are the source of the OpenAPI document and of the clients' types.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

Label = str | bool | int | float
Prediction = Label | dict[str, float]
"""A label, a value, or a value by target where a model predicts several."""


class PredictOptions(BaseModel):
    """What the answer is to contain besides the prediction."""

    model_config = ConfigDict(extra="forbid", strict=True)

    return_probabilities: bool = Field(default=False, description="add the probability of every class")
    return_explanations: bool = Field(
        default=False, description="add what every feature contributed to the answer"
    )


class PredictRequest(BaseModel):
    """Rows for one model. ``features`` is one object, or a list of them."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model_id: str = Field(description="name of the endpoint", examples=["credit-risk"])
    model_version: str | None = Field(
        default=None,
        description="the version that must answer, for callers that may pin; left out, the split chooses",
        examples=["1.1.0"],
    )
    features: dict[str, float | int | bool | str | None] | list[dict[str, float | int | bool | str | None]]
    options: PredictOptions = PredictOptions()


class Told(BaseModel, frozen=True):
    """Something that did not prevent an answer but that the caller should know."""

    row: int = Field(description="position in the request, from 0")
    field: str
    message: str


class ExplanationDocument(BaseModel, frozen=True):
    """What every feature contributed: base value and contributions add up to the margin that gave the answer."""

    method: str = Field(description="how the contributions were found", examples=["tree_contributions"])
    scale: str = Field(description="what they are measured in: log_odds, log_probability or value")
    of: Label | None = Field(
        default=None,
        description="the label whose margin it is, or the first of several targets; absent for one quantity",
    )
    base_value: float = Field(description="the margin without any knowledge of the row")
    contributions: dict[str, float] = Field(description="by feature, as it was sent")


class RowPrediction(BaseModel, frozen=True):
    """The answer for one row."""

    prediction: Prediction | None = Field(
        description="the label, the value of a regression, or the values of several targets by name"
    )
    probability: float | None = Field(default=None, description="of the returned label; absent for a regression")
    probabilities: dict[str, float] | None = Field(default=None, description="of every class, when asked for")
    explanations: ExplanationDocument | None = Field(default=None, description="when asked for")
    unexplained: str | None = Field(default=None, description="why there is no explanation that was asked for")
    prediction_id: str = Field(description="UUIDv7; feedback refers to it")
    error: ProblemDocument | None = Field(default=None, description="why this row has no prediction")


class PredictResponse(BaseModel, frozen=True):
    """The answer for one row, given as an object."""

    model_id: str
    model_version: str = Field(description="the version that answered", examples=["1.0.0"])
    prediction: Prediction
    probability: float | None = Field(default=None, description="of the returned label; absent for a regression")
    probabilities: dict[str, float] | None = Field(default=None, description="of every class, when asked for")
    explanations: ExplanationDocument | None = Field(default=None, description="when asked for")
    unexplained: str | None = Field(default=None, description="why there is no explanation that was asked for")
    prediction_id: str = Field(description="UUIDv7; feedback refers to it")
    timestamp: datetime = Field(description="RFC 3339, UTC")
    failover_from: str | None = Field(
        default=None, description="the version that was to answer and could not; stable did"
    )
    warnings: list[Told] | None = None


class PredictRowsResponse(BaseModel, frozen=True):
    """The answer for a list of rows, in their order."""

    model_id: str
    model_version: str = Field(description="the version that answered", examples=["1.0.0"])
    predictions: list[RowPrediction]
    timestamp: datetime = Field(description="RFC 3339, UTC")
    failover_from: str | None = Field(
        default=None, description="the version that was to answer and could not; stable did"
    )
    warnings: list[Told] | None = None


class FeedbackRequest(BaseModel):
    """What became of a prediction: its true label, a business outcome, or both."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    prediction_id: str = Field(description="as it came with the prediction", max_length=64)
    label: Prediction | None = Field(
        default=None, description="the true label, the true value of a regression, or those of its targets by name"
    )
    value: float | None = Field(
        default=None, description="a business outcome: revenue, loss, converted (1) or not (0)"
    )


class FeedbackResponse(BaseModel, frozen=True):
    """Feedback that was taken."""

    status: str = Field(description="recorded, or duplicate: it was taken before", examples=["recorded"])
    prediction_id: str
    feedback_id: str = Field(description="the same message has the same id however often it is sent")


class ProblemDocument(BaseModel, frozen=True):
    """An error: what happened, this occurrence of it, and a code out of a closed list."""

    error: str
    details: str
    code: str = Field(examples=["VALIDATION_ERROR"])


RowPrediction.model_rebuild()
