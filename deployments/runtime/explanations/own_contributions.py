"""Contributions that a kind of model can tell itself, in terms of the columns that it sees.

Recognised by what an estimator has, not by its class, so that neither LightGBM nor XGBoost is imported for a model
that is none. That an estimator has coefficients does not make its scores a logistic function of them (think of a
support vector machine with Platt scaling): whoever uses these functions compares with the model's scores first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from deployments.contracts.explanations import ExplanationMethod
from deployments.contracts.wire import Floats


@dataclass(frozen=True, slots=True)
class ColumnContributions:
    """What each column that the model sees adds to its margins.

    Attributes:
        base_values: (n, m).
        contributions: (n, m, columns).
    """

    base_values: Floats
    contributions: Floats


@dataclass(frozen=True, slots=True)
class OwnMethod:
    """How one estimator explains itself.

    Attributes:
        name: For the reply.
        contributions: From n rows of columns, as the estimator takes them.
    """

    name: ExplanationMethod
    contributions: Callable[[Any], ColumnContributions]


def of(estimator: Any, background: Any) -> OwnMethod | None:
    """Return how an estimator explains itself, or None if it is of no kind that can.

    Args:
        estimator: The last step of a pipeline.
        background: Reference rows as the estimator takes them; a linear model's base value is their mean.
    """
    if hasattr(estimator, "booster_"):
        return OwnMethod(ExplanationMethod.TREE_CONTRIBUTIONS, lambda rows: _lightgbm(estimator.booster_, rows))
    if hasattr(estimator, "get_booster"):
        return OwnMethod(ExplanationMethod.TREE_CONTRIBUTIONS, lambda rows: _xgboost(estimator, rows))
    if hasattr(estimator, "coef_") and hasattr(estimator, "intercept_"):
        coefficients = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
        intercept = np.broadcast_to(np.asarray(estimator.intercept_, dtype=np.float64), len(coefficients))
        mean = dense(background).mean(axis=0)
        return OwnMethod(ExplanationMethod.LINEAR, lambda rows: _linear(coefficients, intercept, mean, rows))
    return None


def dense(rows: Any) -> Floats:
    """Return columns as one float64 array, whatever a transformer made of them."""
    return np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows, dtype=np.float64)


def _linear(coefficients: Floats, intercept: Floats, mean: Floats, rows: Any) -> ColumnContributions:
    distances = dense(rows) - mean
    base = np.tile(intercept + coefficients @ mean, (len(distances), 1))
    return ColumnContributions(base, distances[:, np.newaxis, :] * coefficients)


def _lightgbm(booster: Any, rows: Any) -> ColumnContributions:
    # Sparse zeros are zeros to LightGBM; dense, because of sparse rows it makes a list of matrices, one a class.
    rows = rows.toarray() if hasattr(rows, "toarray") else rows
    return _split(np.asarray(booster.predict(rows, pred_contrib=True, num_threads=1)), booster.num_feature())


def _xgboost(estimator: Any, rows: Any) -> ColumnContributions:
    import xgboost

    booster = estimator.get_booster()
    matrix = xgboost.DMatrix(
        rows,
        missing=estimator.missing,
        nthread=1,
        enable_categorical=bool(estimator.enable_categorical),
        feature_types=estimator.feature_types,
    )
    trees = (0, booster.best_iteration + 1) if booster.attr("best_iteration") is not None else (0, 0)
    # The names that a pipeline's array lacks are not compared.
    found = booster.predict(matrix, pred_contribs=True, iteration_range=trees, validate_features=False)
    return _split(np.asarray(found), booster.num_features())


def _split(found: Any, columns: int) -> ColumnContributions:
    """Part what both libraries put together: for each class the columns' contributions, then the base value."""
    by_class = found.astype(np.float64).reshape(len(found), -1, columns + 1)
    return ColumnContributions(by_class[:, :, -1], by_class[:, :, :-1])
