"""Logistic regression: few parameters, calibrated, readable coefficients; the baseline to beat."""

from __future__ import annotations

from typing import Any

from sklearn.linear_model import LogisticRegression

from deployments.contracts.errors import PackagingFailed
from deployments.contracts.package import Task

SCALES = True
TAKES_NULLS = False
SEVERAL_TARGETS = False
INTERPRETABILITY = "high"


def estimator(task: Task, parameters: dict[str, Any], seed: int) -> LogisticRegression:
    """Return an unfitted classifier.

    Raises:
        PackagingFailed: The task is a regression.
    """
    if task is Task.REGRESSION:
        raise PackagingFailed("logistic_regression", "it predicts labels, and the target is a quantity")
    return LogisticRegression(**{"max_iter": 2000, "random_state": seed, **parameters})
