"""Estimators on arrays that need no more checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputRegressor

from deployments.contracts.wire import Floats

Score = Callable[[Floats], Floats]
"""Takes prepared rows (n, c) and returns (n, k): probabilities by the estimator's order of classes, or values."""


def scorer(estimator: Any, probabilities: bool) -> Score:
    """Return what scores prepared rows: a short way where one is known, else the estimator itself."""
    make = _KNOWN.get(type(estimator))
    known = make(estimator) if make else None
    if known is not None:
        return known
    score = estimator.predict_proba if probabilities else estimator.predict
    return lambda rows: np.asarray(score(rows), dtype=np.float64).reshape(len(rows), -1)


def _linear(model: Ridge | LinearRegression) -> Score:
    weights, intercept = np.atleast_2d(model.coef_).T, model.intercept_
    return lambda rows: rows @ weights + intercept


def _logistic(model: LogisticRegression) -> Score | None:
    if len(model.classes_) != 2:
        return None
    weights, intercept = model.coef_.T, model.intercept_

    def score(rows: Floats) -> Floats:
        with np.errstate(over="ignore"):  # far out on one side the exponential is infinite, the probability 0
            positive = 1 / (1 + np.exp(-(rows @ weights + intercept)))
        return np.concatenate([1 - positive, positive], axis=1)

    return score


def _several(model: MultiOutputRegressor) -> Score:
    scores = [scorer(one, probabilities=False) for one in model.estimators_]
    return lambda rows: np.concatenate([score(rows) for score in scores], axis=1)


def _forest(model: RandomForestClassifier | RandomForestRegressor) -> Score | None:
    trees = [tree.tree_ for tree in model.estimators_]
    if model.n_outputs_ > 1 and isinstance(model, RandomForestClassifier):
        return None

    def score(rows: Floats) -> Floats:
        narrow = rows.astype(np.float32)  # as its trees are
        total = trees[0].predict(narrow)
        for tree in trees[1:]:
            total += tree.predict(narrow)
        mean: Floats = (total / len(trees)).reshape(len(rows), -1)
        return mean

    return score


def _lightgbm(model: LGBMClassifier | LGBMRegressor) -> Score | None:
    if callable(model.objective_):
        return None
    booster = model.booster_

    def score(rows: Floats) -> Floats:
        found = np.asarray(booster.predict(rows, num_threads=1), dtype=np.float64)  # waking others costs more
        if found.ndim == 2:
            return found
        return np.column_stack([1 - found, found]) if classifies else found.reshape(-1, 1)

    classifies = isinstance(model, LGBMClassifier)
    return score


_KNOWN: dict[type, Callable[[Any], Score | None]] = {
    LGBMClassifier: _lightgbm,
    LGBMRegressor: _lightgbm,
    LinearRegression: _linear,
    LogisticRegression: _logistic,
    RandomForestClassifier: _forest,
    RandomForestRegressor: _forest,
    MultiOutputRegressor: _several,
    Ridge: _linear,
}
