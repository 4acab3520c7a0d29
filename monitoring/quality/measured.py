"""Quality on labels, each figure with its interval."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from deployments.contracts.package import ModelMetadata, Task
from monitoring.errors import EmptyDistribution
from monitoring.quality import auc
from monitoring.quality.figure import Figure, around, proportion
from monitoring.quality.labelled_rows import LabelledRows

CALIBRATION_BINS = 10


def measure(rows: LabelledRows, metadata: ModelMetadata) -> dict[str, Figure]:
    """Every figure that the task has and that these rows can tell; names as in the package's own metrics.

    A figure whose denominator is empty (recall without a positive row) is left out: it is unknown, not 0.

    Raises:
        EmptyDistribution: There are no rows.
    """
    if not len(rows):
        raise EmptyDistribution("labelled")
    if metadata.task is Task.REGRESSION:
        return _regression(rows.errors(metadata.task))
    figures = {"accuracy": proportion(float((rows.predicted == rows.truth).sum()), len(rows))}
    if metadata.task is Task.BINARY:
        figures |= _binary(rows, metadata.class_texts[1])
    return figures


def _binary(rows: LabelledRows, positive: str) -> dict[str, Figure]:
    truth, returned, score = rows.truth == positive, rows.predicted == positive, rows.scores[:, 1]
    hits = float((truth & returned).sum())
    figures: dict[str, Figure] = {}
    if returned.any():
        figures["precision"] = proportion(hits, float(returned.sum()))
    if truth.any():
        figures["recall"] = proportion(hits, float(truth.sum()))
    if truth.any() and not truth.all():
        figures["roc_auc"] = auc.measure(truth, score)
    error = calibration_error(truth, score)
    figures["calibration_error"] = Figure(error, error, error)
    return figures


def _regression(errors: NDArray[np.float64]) -> dict[str, Figure]:
    squares, root_n = errors**2, sqrt(len(errors))
    spread = 1 if len(errors) > 1 else 0
    mean_square = around(float(squares.mean()), float(squares.std(ddof=spread)) / root_n, least=0.0)
    return {
        "rmse": Figure(sqrt(mean_square.value), sqrt(mean_square.lower), sqrt(mean_square.upper)),
        "mae": around(float(errors.mean()), float(errors.std(ddof=spread)) / root_n, least=0.0),
    }


def calibration_error(truth: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Expected calibration error: how far probabilities are from frequencies, on ten equal bins.

        sum over bins of share of rows * |mean score - share of positives|

    (M. Naeini, G. Cooper and M. Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning, AAAI
    2015.)
    """
    places = np.minimum((score * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    surplus = np.bincount(places, weights=score - truth, minlength=CALIBRATION_BINS)
    return float(np.abs(surplus).sum() / len(score))
