"""XGBoost's classifier with labels of any kind."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from xgboost import XGBClassifier


class LabelledXGBClassifier(XGBClassifier):
    """An ``XGBClassifier`` that takes texts or any other labels; its own wants 0 ... k-1."""

    def fit(self, rows: Any, target: Any, **options: Any) -> Self:
        """Fit on positions of the labels in sorted order."""
        labels, positions = np.unique(np.asarray(target), return_inverse=True)
        return self.fit_positions(rows, positions, labels, **options)

    def fit_positions(
        self, rows: Any, positions: NDArray[np.integer[Any]], labels: NDArray[Any], **options: Any
    ) -> Self:
        """Fit on labels by their place among all labels, of which none may lack."""
        self.labels_: NDArray[Any] | None = None  # while it fits, the classes are the positions
        super().fit(rows, positions, **options)
        self.labels_ = labels
        return self

    def predict(self, rows: Any, *arguments: Any, **options: Any) -> NDArray[Any]:
        """Return the most probable label."""
        positions = np.asarray(super().predict(rows, *arguments, **options), dtype=np.intp)
        labels: NDArray[Any] = self.classes_[positions]
        return labels

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels in the order of ``predict_proba``'s columns."""
        labels: NDArray[Any] = super().classes_ if self.labels_ is None else self.labels_
        return labels
