"""Predictions whose truth is known, of one version."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deployments.contracts.package import Task


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """n rows in the order in which they were predicted.

    Attributes:
        predicted: Texts of the returned labels, or the values of a regression (float64).
        truth: The same of what turned out to be true.
        scores: float64, shape (n, classes or 1).
        unreadable: Predictions that are left out, because what was told of a quantity is no number.
    """

    predicted: NDArray[np.generic]
    truth: NDArray[np.generic]
    scores: NDArray[np.float64]
    unreadable: int = 0

    def __len__(self) -> int:
        return len(self.truth)

    def errors(self, task: Task) -> NDArray[np.float64]:
        """How wrong each row was: 0 or 1 for a label, the absolute difference for a number."""
        if task is Task.REGRESSION:
            predicted, truth = self.predicted.astype(np.float64), self.truth.astype(np.float64)
            distances: NDArray[np.float64] = np.abs(predicted - truth)
            return distances
        wrong: NDArray[np.bool_] = np.not_equal(self.predicted, self.truth)
        return wrong.astype(np.float64)
