"""What a version was asked and what it said, counted on the bins of its reference profile.

Counts hold no value of anybody: a category that training never saw is counted, not named. They are exact, add up
over gateways, and their size does not depend on the traffic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deployments.contracts.package import Task
from deployments.contracts.reference_profile import FeatureReference
from deployments.contracts.wire import Floats

CATEGORIES_COUNTED = 100
"""The most frequent categories of the training rows have a cell each; all other known ones share one."""

PROBABILITY_BINS = 100
"""Equal bins from 0 to 1: fine enough to estimate accuracy and AUC from counts."""

PackageKey = tuple[str, str, str]
"""Model, version and package digest: bins belong to a package, and a version's number can be given again."""


@dataclass(slots=True)
class FeatureCounts:
    """One feature over some rows.

    Attributes:
        cells: Rows by bin of the reference's histogram, or by category in the order of ``reference_cells``; empty
            for free text.
        nulls: Rows in which it was missing.
        outside: Rows with a value that training never saw: a number beyond the smallest or largest (which lies in
            an outer bin as well), or an unknown category (which lies in no cell).
        encrypted: Rows out of the prediction log, which holds the feature encrypted: nothing is known of them. The
            monitor recalls such rows; gateways have none.
    """

    cells: list[int]
    nulls: int = 0
    outside: int = 0
    encrypted: int = 0

    def add(self, other: FeatureCounts, sign: int = 1) -> None:
        """Add another's rows; ``sign=-1`` takes them away."""
        self.cells = _sum(self.cells, other.cells, sign)
        self.nulls += sign * other.nulls
        self.outside += sign * other.outside
        self.encrypted += sign * other.encrypted


@dataclass(slots=True)
class Distributions:
    """Rows that one version answered, counted.

    Attributes:
        rows: How many.
        features: By name.
        score: Rows by bin of the reference's score histogram: what ``watched_score`` says of them.
        probability: The same scores on ``PROBABILITY_BINS`` equal bins; empty for a regression.
    """

    rows: int = 0
    features: dict[str, FeatureCounts] = field(default_factory=dict)
    score: list[int] = field(default_factory=list)
    probability: list[int] = field(default_factory=list)

    def add(self, other: Distributions, sign: int = 1) -> None:
        """Add another's rows, of the same package; ``sign=-1`` takes them away."""
        self.rows += sign * other.rows
        for name, counts in other.features.items():
            self.features.setdefault(name, FeatureCounts([])).add(counts, sign)
        self.score = _sum(self.score, other.score, sign)
        self.probability = _sum(self.probability, other.probability, sign)

    def copy(self) -> Distributions:
        """The same counts, on their own."""
        copied = Distributions()
        copied.add(self)
        return copied

    def to_plain(self) -> dict[str, Any]:
        """The counts as plain data of their own."""
        return {
            "rows": self.rows,
            "score": list(self.score),
            "probability": list(self.probability),
            "features": {
                name: [counts.nulls, counts.outside, *counts.cells] for name, counts in self.features.items()
            },
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Distributions:
        """Read counts."""
        features = {
            name: FeatureCounts(cells, nulls, outside)
            for name, (nulls, outside, *cells) in plain["features"].items()
        }
        return cls(plain["rows"], features, list(plain["score"]), list(plain["probability"]))


def reference_cells(feature: FeatureReference) -> tuple[int, ...]:
    """Training rows by cell, in the order in which live rows are counted; empty for free text."""
    if feature.histogram is not None:
        return feature.histogram.counts
    counts = tuple(feature.categories.values())
    if len(counts) <= CATEGORIES_COUNTED:
        return counts
    return (*counts[:CATEGORIES_COUNTED], sum(counts[CATEGORIES_COUNTED:]))


def watched_score(task: Task, scores: Floats) -> Floats:
    """The one score a row is watched by: of the positive class, of the winning class, or the (first) value itself.

    Args:
        task: What the model answers.
        scores: Shape (rows, classes or values).
    """
    if task is Task.BINARY:
        return scores[:, 1]
    return np.asarray(scores.max(axis=1) if task is Task.MULTICLASS else scores[:, 0])


def _sum(left: list[int], right: list[int], sign: int) -> list[int]:
    """Cell by cell; no cells at all are as many empty ones."""
    wide = max(len(left), len(right))
    return [one + sign * other for one, other in zip(left or [0] * wide, right or [0] * wide, strict=True)]
