"""scikit-learn's transformers of numbers and of missing texts, and ours, as steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectFromModel
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from deployments.runtime.arrays import lookup
from deployments.runtime.arrays.step import Step, missing
from deployments.runtime.transformers.clipped import Clipped
from deployments.runtime.transformers.correlation_filter import CorrelationFilter
from deployments.runtime.transformers.date_parts import DateParts
from deployments.runtime.transformers.formula import Formula
from deployments.runtime.transformers.missing_category import MissingCategory
from deployments.runtime.transformers.words import Words


def known_step(transformer: Any) -> Step | None:
    """Return what a fitted transformer does, or None if that is not known for its class and its settings.

    A subclass may do something else, so only the class itself is known.
    """
    if isinstance(transformer, str):
        return _unchanged if transformer == "passthrough" else None
    make = _KNOWN.get(type(transformer))
    return make(transformer) if make else None


def _unchanged(rows: Any) -> Any:
    return rows


def _function(transformer: FunctionTransformer) -> Step | None:
    return _unchanged if transformer.func is None else None


def _imputer(imputer: SimpleImputer) -> Step | None:
    fills = imputer.statistics_
    looks_for_nan = isinstance(imputer.missing_values, float) and np.isnan(imputer.missing_values)
    if not looks_for_nan or imputer.add_indicator:
        return None
    if all(isinstance(fill, str) for fill in fills):
        return lambda texts: np.where(missing(texts), fills, texts)
    if any(isinstance(fill, str) for fill in fills) or np.isnan(fills.astype(np.float64)).any():
        return None  # a column without any number is left out
    numbers = fills.astype(np.float64)
    return lambda rows: np.where(np.isnan(rows), numbers, rows)


def _standard(scaler: StandardScaler) -> Step:
    mean = scaler.mean_ if scaler.with_mean else 0.0
    scale = scaler.scale_ if scaler.with_std else 1.0
    return lambda rows: (rows - mean) / scale


def _robust(scaler: RobustScaler) -> Step:
    center = scaler.center_ if scaler.with_centering else 0.0
    scale = scaler.scale_ if scaler.with_scaling else 1.0
    return lambda rows: (rows - center) / scale


def _min_max(scaler: MinMaxScaler) -> Step | None:
    if scaler.clip:
        return None
    scale, least = scaler.scale_, scaler.min_
    return lambda rows: rows * scale + least


def _components(pca: PCA) -> Step | None:
    if pca.whiten:
        return None
    weights = pca.components_.T
    offset = pca.mean_ @ weights
    return lambda rows: rows @ weights - offset


def _selected(selector: Any) -> Step:
    kept = np.flatnonzero(selector.get_support())
    return lambda rows: rows[:, kept]


def _own(transformer: Any) -> Step:
    step: Step = transformer.on_arrays()
    return step


_KNOWN: dict[type, Callable[[Any], Step | None]] = {
    Clipped: _own,
    CorrelationFilter: _selected,
    DateParts: _own,
    Formula: _own,
    FunctionTransformer: _function,
    MinMaxScaler: _min_max,
    MissingCategory: _own,
    OneHotEncoder: lookup.of_encoder,
    OrdinalEncoder: lookup.of_encoder,
    PCA: _components,
    RobustScaler: _robust,
    SelectFromModel: _selected,
    SimpleImputer: _imputer,
    StandardScaler: _standard,
    TargetEncoder: lookup.of_encoder,
    Words: _own,
}
