"""A category of its own for what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from deployments.runtime.arrays.step import missing


class MissingCategory(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Replace a missing text (None, NaN) by a literal, so that an encoder sees one more category.

    scikit-learn's ``SimpleImputer`` looks for one kind of missing value only, and its ONNX converter for none in
    texts.

    Args:
        literal: What a missing text becomes.
    """

    def __init__(self, literal: str = "missing") -> None:
        self.literal = literal

    def fit(self, rows: Any, target: Any = None) -> Self:
        """Remember the names and the number of columns."""
        validate_data(self, rows, dtype=object, ensure_all_finite="allow-nan")
        return self

    def transform(self, rows: Any) -> NDArray[np.object_]:
        """Return the texts as an object array without a missing one."""
        check_is_fitted(self, "n_features_in_")
        texts = validate_data(self, rows, dtype=object, ensure_all_finite="allow-nan", reset=False)
        return np.where(pd.isna(texts), self.literal, texts)

    def on_arrays(self) -> Callable[[NDArray[Any]], NDArray[Any]]:
        """What ``transform`` does to texts that need no check and of which a missing one is None."""
        literal = self.literal
        return lambda texts: np.where(missing(texts), literal, texts)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        return tags
