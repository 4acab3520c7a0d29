"""From raw columns to what an estimator takes: inside the pipeline, so that serving cannot do it differently."""

from __future__ import annotations

from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from deployments.contracts.feature_schema import FeatureSchema
from deployments.runtime.transformers.missing_category import MissingCategory


def pipeline(schema: FeatureSchema, estimator: Any, scales: bool) -> Pipeline:
    """Return an unfitted pipeline that takes raw rows, nulls and texts included.

    Args:
        schema: The raw features.
        estimator: The last step.
        scales: Numbers are imputed by their median and scaled to unit variance; else they pass as they are.
    """
    parts: list[tuple[str, Any, list[str]]] = []
    if schema.numeric:
        numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()) if scales else "passthrough"
        parts.append(("numbers", numbers, [feature.name for feature in schema.numeric]))
    if schema.textual:
        parts.append(("categories", _categories(), [feature.name for feature in schema.textual]))
    return Pipeline([("features", ColumnTransformer(parts)), ("model", estimator)])


def _categories() -> Pipeline:
    # Dense: XGBoost reads the zeros of a sparse matrix as missing, and a graph's tensors are dense.
    return make_pipeline(MissingCategory(), OneHotEncoder(handle_unknown="ignore", sparse_output=False))
