"""What a model version accepts: its features by name, kind and what training saw of them."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from functools import cached_property

from pydantic import BaseModel, ConfigDict, model_validator


class FeatureKind(StrEnum):
    """How a feature's value is written in a request and in a column."""

    NUMBER = "number"
    """An integer or a real; travels as float64."""
    BOOLEAN = "boolean"
    """True or false; travels as float64 0 or 1."""
    CATEGORY = "category"
    """A text out of a set that training has seen; another one is allowed and told."""
    TEXT = "text"
    """Free text."""

    @property
    def is_numeric(self) -> bool:
        """Whether the feature travels in the numeric block of the wire."""
        return self in (FeatureKind.NUMBER, FeatureKind.BOOLEAN)


class Feature(BaseModel):
    """One input column of a model.

    Attributes:
        name: The column's name in training data and requests.
        kind: How its values are written.
        nullable: Whether training saw it missing; only then may a request leave it out or send null.
        categories: Every text that training saw, sorted; of a number the allowed ones as texts, where its document
            lists them. Told to callers, not enforced.
        minimum: Smallest number that training saw; for numbers only, told to callers, not enforced.
        maximum: Largest number that training saw.
        integral: Training saw whole numbers only, or its document says that they are; told to callers, too.
        description: For people; shown in OpenAPI.
        pii: Personal data: encrypted in the prediction log, never in logs or errors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: FeatureKind
    nullable: bool = False
    categories: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    integral: bool = False
    description: str = ""
    pii: bool = False

    def for_callers(self) -> Feature:
        """The feature as callers may know it: what training saw of personal data is personal data."""
        if not self.pii:
            return self
        return self.model_copy(update={"categories": (), "minimum": None, "maximum": None})


class FeatureSchema(BaseModel):
    """The features of a model version, in the order of its training data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[Feature, ...]

    @model_validator(mode="after")
    def _names_are_unique(self) -> FeatureSchema:
        names = [feature.name for feature in self.features]
        twice = sorted({name for name in names if names.count(name) > 1})
        if not names:
            raise ValueError("a model needs at least one feature")
        if twice:
            raise ValueError(f"features named twice: {', '.join(twice)}")
        return self

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (first 16 hex digits) of the schema's canonical JSON; gateway and pool compare it."""
        # Defaults are left out: a field that a later release adds does not change what an older one computed.
        plain = self.model_dump(mode="json", exclude_defaults=True)
        canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @cached_property
    def numeric(self) -> tuple[Feature, ...]:
        """Features of the wire's numeric block, in column order."""
        return tuple(feature for feature in self.features if feature.kind.is_numeric)

    @cached_property
    def textual(self) -> tuple[Feature, ...]:
        """Features of the wire's string columns, in order."""
        return tuple(feature for feature in self.features if not feature.kind.is_numeric)
