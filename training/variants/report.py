"""What became of a variant: a part of ``evaluation.json``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from deployments.contracts.package import InferencePath


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Measured(_Part):
    """One form of a model.

    Attributes:
        value: Of the metric that is compared, on the validation rows.
        bytes: Of the graph; of the pickled pipeline where that is served.
        one_row_milliseconds: Median time of scoring one row, where it was packaged.
        path: What would serve it.
    """

    value: float
    bytes: int
    one_row_milliseconds: float
    path: InferencePath


class CurvePoint(_Part):
    """The metric of a model with its first trees alone."""

    trees: int
    value: float


class VariantReport(_Part):
    """One variant that a document asked for.

    Attributes:
        kind: quantized, pruned or distilled.
        metric: What was compared.
        allowed_loss: How much of it may be lost.
        original: The model as it was trained.
        variant: The variant; None if it could not be made.
        made: How it was made, in a few words.
        curve: Quality by number of trees, the fewest first; for a pruned one.
        refused: Why it may not be served, with the numbers; empty if it may.
        served: It is what the package serves: of those that may be, the document's first.
    """

    kind: str
    metric: str
    allowed_loss: float
    original: Measured
    variant: Measured | None = None
    made: str = ""
    curve: tuple[CurvePoint, ...] = ()
    refused: str = ""
    served: bool = False

    def __str__(self) -> str:
        if self.variant is None:
            return f"{self.kind}: {self.refused}"
        numbers = (
            f"{self.metric} {self.variant.value:.4f} (trained: {self.original.value:.4f}), "
            f"{self.variant.bytes} bytes ({self.original.bytes}), "
            f"{self.variant.one_row_milliseconds:.3f} ms a row ({self.original.one_row_milliseconds:.3f})"
        )
        verdict = f"refused: {self.refused}" if self.refused else "served" if self.served else "accepted"
        return f"{self.kind} ({self.made}): {numbers}; {verdict}"

    @property
    def figures(self) -> dict[str, float]:
        """Numbers of the variant by name, for a tracking server."""
        if self.variant is None:
            return {}
        return {
            f"{self.kind}_{self.metric}": self.variant.value,
            f"{self.kind}_bytes": float(self.variant.bytes),
            f"{self.kind}_one_row_milliseconds": self.variant.one_row_milliseconds,
        }
