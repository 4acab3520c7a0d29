"""Why a row got its score: what each raw feature added to the model's margin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.package import ModelMetadata, Task

MAX_EXPLAINED_ROWS = 32
"""Rows of one call that are explained: an explanation costs up to a thousand times a prediction."""
TOLERANCE = 1e-3
"""How far base value and contributions, added up and put through the link, may be from the score that was
returned: in probability, or as a share of the range of the reference scores for a regression."""

Floats = NDArray[np.float64]


class ExplanationMethod(StrEnum):
    """How contributions were found."""

    LINEAR = "linear"
    """Exactly: coefficient times distance from the reference rows' mean."""
    TREE_CONTRIBUTIONS = "tree_contributions"
    """By the boosting library itself (TreeSHAP)."""
    SAMPLING_SHAPLEY = "sampling_shapley"
    """Estimated, for any model: Shapley values over sampled orders of the features."""


class Unexplained(StrEnum):
    """Why a row has a score and no explanation."""

    MODEL_ERROR = "model_error"
    """The model failed on a variation of the row."""
    NO_SCORE = "no_score"
    """There is nothing to explain."""
    NOT_ADDITIVE = "not_additive"
    """Contributions were found that do not add up to the score; a wrong explanation is worse than none."""
    OUT_OF_TIME = "out_of_time"
    """The call's time was over; the first explanations of a replica load the model for some seconds."""
    BUSY = "busy"
    """Too many calls wait for explanations already."""
    TOO_MANY_ROWS = "too_many_rows"
    """The call asked for more than ``MAX_EXPLAINED_ROWS``."""


class Scale(StrEnum):
    """What contributions are measured in."""

    LOG_ODDS = "log_odds"
    LOG_PROBABILITY = "log_probability"
    """Up to a constant that all classes share."""
    VALUE = "value"


_SCALES = {Task.BINARY: Scale.LOG_ODDS, Task.MULTICLASS: Scale.LOG_PROBABILITY, Task.REGRESSION: Scale.VALUE}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Contributions to one row's margins: ``base_values + contributions.sum(axis=1)`` are the margins.

    Attributes:
        method: How they were found: an ``ExplanationMethod``, or what a pool of a later release says.
        base_values: float64, shape (m,): the margins without any knowledge of the row. m is 1 for a binary
            classifier (log-odds of its second class), the number of targets for a regression (their values), k
            for k > 2 classes (the logarithms of their probabilities, up to a constant).
        contributions: float64, shape (m, features), in the order of ``FeatureSchema.features``.
    """

    method: str
    base_values: Floats
    contributions: Floats

    def document(self, schema: FeatureSchema, metadata: ModelMetadata, returned: int) -> dict[str, Any]:
        """The caller's view.

        Args:
            schema: Of the version that answered.
            metadata: Of the same.
            returned: Position of the returned label among the classes; any number for a regression.

        Returns:
            ``method``, ``scale``, ``of`` (the label whose margin it is: of two always the second, of more the
            returned one; of several targets the first; absent for one quantity), ``base_value``, and
            ``contributions`` by feature.
        """
        margin = returned if metadata.task is Task.MULTICLASS else 0
        names = [feature.name for feature in schema.features]
        document: dict[str, Any] = {
            "method": self.method,
            "scale": _SCALES[metadata.task],
            "base_value": float(self.base_values[margin]),
            "contributions": dict(zip(names, self.contributions[margin].tolist(), strict=True)),
        }
        if metadata.targets:
            document["of"] = metadata.targets[0]
        elif metadata.task is not Task.REGRESSION:
            document["of"] = metadata.classes[1 if metadata.task is Task.BINARY else returned]
        return document


@dataclass(frozen=True, slots=True)
class Explanations:
    """Explanations of some rows of one call.

    Attributes:
        explained: By the row's position in the call.
        unexplained: Why a row that asked has none, by its position: an ``Unexplained``, or what a pool of a later
            release says.
        seconds: Time that finding them took.
    """

    explained: Mapping[int, Explanation] = field(default_factory=dict)
    unexplained: Mapping[int, str] = field(default_factory=dict)
    seconds: float = 0.0

    def part(self, start: int, end: int) -> Explanations:
        """Those of the rows from ``start`` to before ``end``, counted from ``start``."""
        return Explanations(
            {row - start: found for row, found in self.explained.items() if start <= row < end},
            {row - start: reason for row, reason in self.unexplained.items() if start <= row < end},
            self.seconds,
        )

    def to_plain(self) -> dict[str, Any]:
        """The explanations as a dictionary of plain data."""
        return {
            "explained": {
                row: {
                    "method": str(found.method),
                    "base_values": found.base_values.tobytes(),
                    "contributions": found.contributions.tobytes(),
                }
                for row, found in self.explained.items()
            },
            "unexplained": {row: str(reason) for row, reason in self.unexplained.items()},
            "seconds": self.seconds,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Explanations:
        """Read explanations."""
        return cls(
            {row: _explanation(found) for row, found in plain["explained"].items()},
            plain["unexplained"],
            plain["seconds"],
        )


def _explanation(plain: Mapping[str, Any]) -> Explanation:
    base_values = np.frombuffer(plain["base_values"], dtype=np.float64)
    contributions = np.frombuffer(plain["contributions"], dtype=np.float64).reshape(len(base_values), -1)
    return Explanation(plain["method"], base_values, contributions)
