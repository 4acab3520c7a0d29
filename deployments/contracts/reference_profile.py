"""What the training data looked like, so that live traffic can be compared with it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Histogram(BaseModel):
    """Counts of a number on fixed bins.

    Attributes:
        edges: m + 1 increasing edges; a bin holds its lower edge, not its upper one. The first and the last
            bin are open: what lies below or above falls into them.
        counts: m counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class FeatureReference(BaseModel):
    """One feature over the training rows: a histogram for numbers, counts for categories.

    Attributes:
        nulls: Rows in which the feature was missing.
        histogram: For numbers and booleans.
        categories: For categories: count of each, the most frequent first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    nulls: int
    histogram: Histogram | None = None
    categories: dict[str, int] = {}


class ReferenceProfile(BaseModel):
    """The training split's distributions, the baseline of every drift figure.

    Attributes:
        rows: Rows of the training split.
        features: By feature name.
        score: Histogram of the model's score on the validation split (probability of the positive class, of
            the winning class when there are several, or the predicted value, of several targets the first).
        labels: Count of each predicted label on the validation split; empty for a regression.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    features: dict[str, FeatureReference]
    score: Histogram | None = None
    labels: dict[str, int] = {}
