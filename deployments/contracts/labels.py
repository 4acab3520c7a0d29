"""Labels: which one a row's scores mean, and how it is written where there are only texts."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deployments.contracts.prediction import Prediction

POSITIVE = 1
"""Position of the positive one of two labels."""


def text(label: Prediction) -> str:
    """A label as a JSON key, a metric label or a cell of texts: ``true``, not ``True``.

    The values of several targets are written as a JSON object. A whole number has no decimal point, even where
    JSON had one: a class is never a float, so a caller's 1.0 is the class 1.
    """
    if isinstance(label, dict):
        return json.dumps(label)
    if isinstance(label, float):
        return str(label).removesuffix(".0")
    return str(label).lower() if isinstance(label, bool) else str(label)


def position(scores: Sequence[float], threshold: float) -> int:
    """Position of the label that is returned for one row.

    Args:
        scores: A probability for each of two labels or more.
        threshold: Of two labels, the second is returned when its probability is at least this; otherwise the
            likeliest is, and of equally likely ones the first.
    """
    if len(scores) == 2:
        return POSITIVE if scores[POSITIVE] >= threshold else 0
    return max(range(len(scores)), key=scores.__getitem__)


def positions(scores: NDArray[np.float64], threshold: float) -> NDArray[np.intp]:
    """Return ``position`` of each of n rows.

    Args:
        scores: (n, k) probabilities of k labels.
        threshold: As for ``position``.
    """
    if scores.shape[1] == 2:
        return (scores[:, POSITIVE] >= threshold).astype(np.intp)
    likeliest: NDArray[np.intp] = scores.argmax(axis=1)
    return likeliest
