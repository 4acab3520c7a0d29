"""Linear regression by ridge: readable coefficients that stay sane when features say the same thing."""

from __future__ import annotations

from typing import Any

from sklearn.linear_model import Ridge

from deployments.contracts.errors import PackagingFailed
from deployments.contracts.package import Task

SCALES = True
TAKES_NULLS = False
SEVERAL_TARGETS = True
INTERPRETABILITY = "high"


def estimator(task: Task, parameters: dict[str, Any], seed: int) -> Ridge:
    """Return an unfitted regressor; ``alpha`` 0 is plain least squares.

    Raises:
        PackagingFailed: The task is a classification.
    """
    if task is not Task.REGRESSION:
        raise PackagingFailed("linear_regression", "it predicts quantities, and the target has labels")
    return Ridge(**{"random_state": seed, **parameters})
