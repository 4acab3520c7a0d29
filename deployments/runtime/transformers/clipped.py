"""Outliers drawn in to quantiles of the training rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from deployments.contracts.wire import Floats


class Clipped(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Replace what lies outside two quantiles of a column by the quantile (winsorising); nulls stay null.

    Args:
        lower: Share of the training rows below the lower end, 0 to 1.
        upper: Share of them below the upper end.
    """

    def __init__(self, lower: float = 0.01, upper: float = 0.99) -> None:
        self.lower = lower
        self.upper = upper

    def fit(self, rows: Any, target: Any = None) -> Self:
        """Find the quantiles of every column; a column without a number is not clipped."""
        numbers = validate_data(self, rows, dtype=np.float64, ensure_all_finite="allow-nan")
        present = ~np.isnan(numbers).all(axis=0)
        self.low_ = np.full(numbers.shape[1], -np.inf)
        self.high_ = np.full(numbers.shape[1], np.inf)
        ends = np.nanquantile(numbers[:, present], [self.lower, self.upper], axis=0)
        # A whole number or a price is a value that float32 has, too: both paths draw in to the same.
        self.low_[present], self.high_[present] = ends.astype(np.float32).astype(np.float64)
        return self

    def transform(self, rows: Any) -> Floats:
        """Return the numbers between the quantiles."""
        check_is_fitted(self, "low_")
        numbers = validate_data(self, rows, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        drawn_in: Floats = np.clip(numbers, self.low_, self.high_)
        return drawn_in

    def on_arrays(self) -> Callable[[Floats], Floats]:
        """What ``transform`` does to rows that need no check."""
        low, high = self.low_, self.high_
        return lambda rows: np.clip(rows, low, high)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
