"""Confidence-based performance estimation: how good a calibrated classifier is where labels are not known yet.

If a score of p means that a share p of such rows is positive, then each row contributes p of a positive and 1 - p
of a negative, and every figure of the confusion matrix has an expected value:

    accuracy = mean over rows of P(the returned label is right)
    AUC      = weighted share of pairs in which the positive part has the higher score

(NannyML's CBPE; J. Bialek et al., Estimating model performance under covariate shift without labels, 2024.)

Limits: the scores must be calibrated, on the shifted rows too; an estimate is off by about as much as they are. So
none is given where they were not on the test split: see ``withheld``. It follows a shift of the inputs; it is
blind to a change of what the inputs mean (concept drift), where the truth leaves the estimate with no sign here.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from deployments.contracts.package import CALIBRATION_ERROR, ModelMetadata, Task
from monitoring.errors import EmptyDistribution

Floats = NDArray[np.float64]

CALIBRATION_LIMIT = 0.1
"""Largest calibration error on the test split with which an estimate is given: about as far off it may be. With
some hundred test rows well calibrated scores show 0.03 to 0.06 by chance, so less could not be asked for."""


class Withheld(StrEnum):
    """Why a classifier has no estimate."""

    NOT_CALIBRATED = "not_calibrated"
    CALIBRATION_UNKNOWN = "calibration_unknown"
    """The package does not say: nobody judged it on labelled rows, or an earlier release packaged it."""


def withheld(metadata: ModelMetadata) -> Withheld | None:
    """Why nothing is estimated for a package; None where it is, and for a regression, for which it cannot be."""
    if metadata.task is Task.REGRESSION:
        return None
    error = metadata.metrics.get(CALIBRATION_ERROR)
    if error is None:
        return Withheld.CALIBRATION_UNKNOWN
    return Withheld.NOT_CALIBRATED if error > CALIBRATION_LIMIT else None


def from_bins(task: Task, rows: Sequence[int], threshold: float) -> dict[str, float]:
    """The estimate from counts of scores on equal bins from 0 to 1; off by at most half a bin.

    Arguments, result and errors are those of ``estimate``.
    """
    middles = (np.arange(len(rows)) + 0.5) / max(1, len(rows))
    return estimate(task, middles, np.asarray(rows, dtype=np.float64), threshold)


def estimate(task: Task, scores: Floats, rows: Floats, threshold: float) -> dict[str, float]:
    """Expected accuracy and, for two classes, AUC; names as in the package's own metrics.

    Args:
        task: What the model answers; for a regression nothing can be estimated.
        scores: Probability of the second of two classes, or of the winning one of several.
        rows: How many have that score.
        threshold: From which on the second of two classes is returned.

    Raises:
        EmptyDistribution: There are no rows.

    >>> import numpy as np
    >>> found = estimate(Task.BINARY, np.array([0.9, 0.2]), np.array([1.0, 1.0]), 0.5)
    >>> round(found["accuracy"], 3), round(found["roc_auc"], 3)
    (0.85, 0.973)
    """
    if task is Task.REGRESSION:
        return {}
    if not rows.sum() > 0:
        raise EmptyDistribution("scored")
    if task is Task.MULTICLASS:
        return {"accuracy": float(np.average(scores, weights=rows))}
    right = np.where(scores >= threshold, scores, 1 - scores)
    area = _area(scores, rows)
    figures = {"accuracy": float(np.average(right, weights=rows))}
    return figures if area is None else {**figures, "roc_auc": area}


def _area(scores: Floats, rows: Floats) -> float | None:
    """The expected area, or None without a pair to compare; a row is never paired with itself."""
    values, groups = np.unique(scores, return_inverse=True)
    positives = np.bincount(groups, weights=rows * scores, minlength=len(values))
    negatives = np.bincount(groups, weights=rows * (1 - scores), minlength=len(values))
    below = np.concatenate([[0.0], np.cumsum(negatives)[:-1]])
    own = float((rows * scores * (1 - scores)).sum())
    won = float((positives * (below + negatives / 2)).sum()) - own / 2
    pairs = float(positives.sum() * negatives.sum()) - own
    return won / pairs if pairs > 0 else None
