"""What the columns of the training rows must be like, as a document says it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deployments.contracts.feature_schema import FeatureKind

ColumnKind = Literal["number", "integer", "boolean", "category", "text", "date"]
Value = str | int | float | bool


class ColumnExpectation(BaseModel):
    """What one column must be like; what is not said is not checked.

    What is said here of a feature is also what its schema tells callers when the model is served.

    Attributes:
        kind: How its values are written. ``date`` is a text such as ``2026-11-21`` or ``2026-11-21T08:30:00Z``, or
            a date of the source.
        nullable: False refuses nulls; True lets a served request leave the feature out even if training saw none.
        minimum: Smallest number.
        maximum: Largest number.
        allowed: The only values.
        unique: No value stands twice.
        nulls_at_most: Largest share of nulls, 0 to 1.
        description: For people; told to callers.
        pii: Personal data: no report shows its values, and the prediction log encrypts them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: ColumnKind | None = None
    nullable: bool | None = None
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[Value, ...] = ()
    unique: bool = False
    nulls_at_most: float | None = Field(default=None, ge=0, le=1)
    description: str = ""
    pii: bool = False

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum:g} is above maximum {self.maximum:g}")
        bounded = self.minimum is not None or self.maximum is not None
        if bounded and self.kind not in (None, "number", "integer"):
            raise ValueError(f"minimum and maximum are for numbers, not for a {self.kind}")
        if self.nullable is False and self.nulls_at_most:
            raise ValueError(f"nulls_at_most {self.nulls_at_most:g} contradicts nullable: false")
        return self

    @property
    def feature_kind(self) -> FeatureKind | None:
        """The kind of feature that the column becomes, if it is said."""
        kinds = {"integer": FeatureKind.NUMBER, "date": FeatureKind.TEXT}
        return None if self.kind is None else kinds.get(self.kind) or FeatureKind(self.kind)


class Expectations(BaseModel):
    """What training rows must be like; rows that are not stop the run before anything is trained.

    Attributes:
        columns: By name; each of them must be there.
        keys: Lists of columns whose values together name one row.
        duplicates: Whether whole rows may stand twice.
        rows_at_least: Fewest rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[str, ColumnExpectation] = {}
    keys: tuple[tuple[str, ...], ...] = ()
    duplicates: Literal["allowed", "refused"] = "allowed"
    rows_at_least: int = Field(default=0, ge=0)

    @property
    def are_said(self) -> bool:
        """Whether anything is expected at all."""
        return self != Expectations()
