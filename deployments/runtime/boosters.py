"""Boosters that were saved without their scikit-learn wrapper. The import path is frozen: old packages name it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from deployments.contracts.wire import Floats


class LightGBMRegressionBooster(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A LightGBM regressor read from its text file, with scikit-learn's interface.

    Args:
        booster: A ``lightgbm.Booster`` whose objective is a regression.
    """

    def __init__(self, booster: Any) -> None:
        self.booster = booster
        self.booster_ = booster
        self.boosting_type = "gbdt"
        self.n_features_in_ = booster.num_feature()
        self.feature_names_in_ = np.asarray(booster.feature_name(), dtype=object)

    def fit(self, rows: Any, target: Any) -> LightGBMRegressionBooster:
        """Do nothing: the booster is fitted."""
        return self

    def predict(self, rows: Any) -> Floats:
        """Return n values."""
        return np.asarray(self.booster_.predict(rows), dtype=np.float64)


class LightGBMBooster(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A LightGBM classifier read from its text file, with scikit-learn's interface.

    The text file does not keep the labels: they are 0 ... k-1, as LightGBM itself counts them.

    Args:
        booster: A ``lightgbm.Booster`` whose objective is binary or multiclass.
    """

    def __init__(self, booster: Any) -> None:
        self.booster = booster
        self.booster_ = booster
        self.boosting_type = "gbdt"
        self.objective_ = str(booster.dump_model(num_iteration=1)["objective"]).split()[0]
        self.n_features_in_ = booster.num_feature()
        self.feature_names_in_ = np.asarray(booster.feature_name(), dtype=object)
        self.classes_ = np.arange(max(2, booster.num_model_per_iteration()))

    def fit(self, rows: Any, target: Any) -> LightGBMBooster:
        """Do nothing: the booster is fitted."""
        return self

    def predict_proba(self, rows: Any) -> Floats:
        """Return (n, k) probabilities."""
        scores = np.asarray(self.booster_.predict(rows), dtype=np.float64)
        return np.column_stack([1 - scores, scores]) if scores.ndim == 1 else scores

    def predict(self, rows: Any) -> NDArray[Any]:
        """Return the most probable label."""
        labels: NDArray[Any] = self.classes_[self.predict_proba(rows).argmax(axis=1)]
        return labels
