"""Random forest: many deep trees on bootstrapped rows, averaged; hard to get wrong, large to serve."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from deployments.contracts.package import Task

SCALES = False
TAKES_NULLS = False  # scikit-learn's does, but its graph does not: they stayed 0.5 apart
SEVERAL_TARGETS = True
INTERPRETABILITY = "low"
# One thread: trials share the machine, and the order of a sum decides its last digits.
# An odd number of trees: votes of pure leaves cannot tie at 0.5, where float32 would break the tie.
_DEFAULTS = {"n_jobs": 1, "n_estimators": 201}


def estimator(task: Task, parameters: dict[str, Any], seed: int) -> RandomForestClassifier | RandomForestRegressor:
    """Return an unfitted classifier or regressor."""
    kind = RandomForestRegressor if task is Task.REGRESSION else RandomForestClassifier
    return kind(**{**_DEFAULTS, "random_state": seed, **parameters})


def trees(estimator: RandomForestClassifier | RandomForestRegressor) -> int:
    """How many trees it has."""
    return len(estimator.estimators_)


def pruned(estimator: RandomForestClassifier | RandomForestRegressor, trees: int) -> Any:
    """Return a forest of its first trees."""
    part = copy.copy(estimator)
    part.estimators_ = estimator.estimators_[:trees]
    return part.set_params(n_estimators=trees)
