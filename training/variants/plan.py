"""What a document says about variants of a version."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from training.families import FamilyName
from training.metric_name import MetricName


class _Variant(BaseModel):
    """What every kind has in common.

    Attributes:
        loss: Largest loss of the metric on the validation rows, in the metric's own unit, that is accepted.
        metric: What is compared; by default ROC-AUC of labels, R² of a quantity.
        required: Without this variant nothing is packaged, and it goes before those that are not required.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    loss: float = Field(ge=0)
    metric: MetricName | None = None
    required: bool = False


class Quantized(_Variant):
    """The compiled graph with weights of eight bits (ONNX dynamic quantization)."""

    kind: Literal["quantized"]


class Pruned(_Variant):
    """The first trees of a forest or of boosting, as few as the loss allows.

    Attributes:
        trees: How many to try; by default six shares of all, from a twentieth to seven tenths.
    """

    kind: Literal["pruned"]
    trees: tuple[Annotated[int, Field(ge=1)], ...] = ()


class Distilled(_Variant):
    """A smaller model that learns what the trained one says of the training rows (Hinton et al. 2015).

    Attributes:
        family: Of the smaller model.
        parameters: Its hyperparameters.
    """

    kind: Literal["distilled"]
    family: FamilyName
    parameters: dict[str, str | int | float | bool | None] = {}


Variant = Annotated[Quantized | Pruned | Distilled, Field(discriminator="kind")]
