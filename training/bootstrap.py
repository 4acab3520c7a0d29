"""Intervals of metrics: how far a figure would move if the test rows had been others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from deployments.contracts.package import Task
from deployments.contracts.wire import Floats
from training import evaluation

RESAMPLES = 500
CONFIDENCE = 0.95
CELLS_AT_ONCE = 4_000_000
"""Weights that are held at once: 32 MB."""


def intervals(
    task: Task,
    classes: Sequence[str | int | bool],
    threshold: float,
    target: Any,
    scores: Floats,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, tuple[float, float]]:
    """Return the lower and the upper end of every metric's interval (percentile bootstrap, Efron 1979).

    Rows are drawn with replacement as often as there are rows; how often a row is drawn is its weight. The model
    stays the same: this is the uncertainty of the test, not of the training.

    Args:
        task: As for ``evaluation.evaluate``.
        classes: As for ``evaluation.evaluate``.
        threshold: As for ``evaluation.evaluate``.
        target: True labels or values.
        scores: Of the same rows.
        seed: Of the draws.
        resamples: How many draws.
    """
    drawn: dict[str, list[Floats]] = {}
    for weights in draws(len(scores), seed, resamples):
        figures = evaluation.weighted(task, classes, threshold, target, scores, weights)
        for name, values in figures.items():
            drawn.setdefault(name, []).append(values)
    return {name: ends(np.concatenate(values)) for name, values in drawn.items()}


def draws(rows: int, seed: int = 0, resamples: int = RESAMPLES) -> Iterator[Floats]:
    """Give weights of rows, some resamples at a time: (m, rows) each. The same seed gives the same draws."""
    random = np.random.default_rng(seed)
    step = max(1, CELLS_AT_ONCE // rows)
    for first in range(0, resamples, step):
        count = min(step, resamples - first)
        yield np.stack([np.bincount(random.integers(0, rows, rows), minlength=rows) for _ in range(count)]).astype(
            np.float64
        )


def ends(values: Floats) -> tuple[float, float]:
    """Return the ends of the interval of a figure over resamples; NaN where it is never defined."""
    present = values[np.isfinite(values)]
    if present.size == 0:
        return (float("nan"), float("nan"))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(present, [tail, 1 - tail])
    return (float(low), float(high))
