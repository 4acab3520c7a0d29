"""Columns that say again what another column says."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted, validate_data


class CorrelationFilter(SelectorMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Leave out columns that are constant or correlate with an earlier one that is kept.

    Args:
        limit: Largest absolute Pearson correlation of two columns that are both kept, on the training rows; pairs
            of values of which one is null do not count.
    """

    def __init__(self, limit: float = 0.95) -> None:
        self.limit = limit

    def fit(self, rows: Any, target: Any = None) -> Self:
        """Choose the columns."""
        numbers = validate_data(self, rows, dtype=np.float64, ensure_all_finite="allow-nan")
        table = np.ma.masked_invalid(numbers)
        with np.errstate(all="ignore"):
            correlations: Any = np.ma.corrcoef(table, rowvar=False, allow_masked=True)  # type: ignore[no-untyped-call]
            correlation = np.abs(np.ma.filled(np.atleast_2d(correlations), 0.0))
        varies = np.asarray((table.max(axis=0) > table.min(axis=0)).filled(False))
        kept: list[int] = []
        for column in np.flatnonzero(varies).tolist():
            if not kept or correlation[column, kept].max() <= self.limit:
                kept.append(column)
        self.kept_ = np.zeros(numbers.shape[1], dtype=bool)
        self.kept_[kept] = True
        return self

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self, "kept_")
        mask: NDArray[np.bool_] = self.kept_
        return mask

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
