"""XGBoost's rows from a file, a page at a time: what it counts of them stays on the disk, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from xgboost import DataIter, ExtMemQuantileDMatrix, collective

from training.distributed.shard import Shard

ROWS = 131_072
"""Of one page. The library holds a few pages at once; small ones cost it a call each in every round."""


class Pages(DataIter):
    """Rows that are given to XGBoost a page at a time, as often as it asks.

    Args:
        rows: (n, d) numbers in a mapped file.
        target: Labels by their position, or values.
        weights: Of the rows, or None.
        cache: Where files of the library begin; they go with the matrix that is made of the pages.
    """

    def __init__(self, rows: Any, target: Any, weights: Any, cache: Path) -> None:
        self._rows, self._target, self._weights = rows, target, weights
        self._begin = 0
        super().__init__(cache_prefix=str(cache))

    def reset(self) -> None:
        """Begin anew."""
        self._begin = 0

    def next(self, input_data: Callable[..., Any]) -> bool:
        """Give the next page; False behind the last one."""
        if self._begin >= len(self._rows):
            return False
        page = slice(self._begin, self._begin + ROWS)
        self._begin += ROWS
        weights = {} if self._weights is None else {"weight": self._weights[page]}
        input_data(data=np.asarray(self._rows[page]), label=self._target[page], **weights)
        return True


def fit(estimator: Any, shard: Shard, labels: Any, weights: Any, cache: Path) -> Any:
    """Fit one of XGBoost's estimators on pages instead of a matrix in memory, together with all workers.

    Args:
        estimator: As it would be fitted alone.
        shard: The rows.
        labels: All labels in order; None for values.
        weights: Of the rows, or None.
        cache: As of ``Pages``.
    """

    def paged(ref: None, data: Any, label: Any, weight: Any = None, **_same: Any) -> ExtMemQuantileDMatrix:
        pages = Pages(data, label, weight, cache)
        return ExtMemQuantileDMatrix(pages, nthread=estimator.n_jobs, max_bin=estimator.max_bin)

    weights = _weights_if_any(weights, len(shard.rows))
    # The wrapper has no public way to another matrix, and the bare library none to the wrapper's settings.
    estimator._create_dmatrix = paged
    try:
        if labels is None:
            return estimator.fit(shard.rows, shard.target, sample_weight=weights)
        return estimator.fit_positions(shard.rows, shard.target.astype(np.int32), labels, sample_weight=weights)
    finally:
        del estimator._create_dmatrix


def _weights_if_any(weights: Any, rows: int) -> Any:
    """Weights of one where only other workers have any: XGBoost would learn nothing from both, and not say so."""
    somewhere = collective.allreduce(np.array([weights is not None], dtype=np.int32), collective.Op.MAX)[0]
    return np.ones(rows, dtype=np.float32) if weights is None and somewhere else weights
