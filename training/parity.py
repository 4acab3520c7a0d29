"""The gate between a pipeline and its graph: which of the two is served."""

from __future__ import annotations

import numpy as np

from deployments.contracts import labels
from deployments.contracts.package import Parity, Task
from deployments.contracts.wire import Columns, Floats
from deployments.runtime.predictor import Scorer

TOLERANCE = 1e-4
"""Graphs compute in float32: LightGBM differs by 4e-7 and a logistic regression by 1e-6; an implementation that is
really another one, by 0.02 and more."""


def compare(
    native: Scorer,
    compiled: Scorer,
    rows: Columns,
    task: Task,
    threshold: float,
    tolerance: float = TOLERANCE,
) -> Parity:
    """Score the rows with both paths and decide: an empty reason serves the graph.

    Args:
        native: The pipeline itself.
        compiled: Its graph.
        rows: Held-out rows and edge rows.
        task: How the scores are read.
        threshold: Binary only.
        tolerance: Largest difference of a score; of a regression's, as a share of the range of its values.
    """
    wanted = native.predict(rows)
    try:
        given = compiled.predict(rows)
    except Exception as error:
        reason = f"the graph fails: {str(error).splitlines()[0][:200]}"
        return Parity(rows=len(rows), max_difference=None, label_flips=0, tolerance=tolerance, reason=reason)
    if given.shape != wanted.shape:
        reason = f"the graph gives scores of shape {given.shape}, the pipeline {wanted.shape}"
        return Parity(rows=len(rows), max_difference=None, label_flips=0, tolerance=tolerance, reason=reason)
    scale = _ranges(wanted) if task is Task.REGRESSION else np.ones(wanted.shape[1])
    largest = _largest_difference(wanted / scale, given / scale)
    flips = _flips(task, threshold, wanted, given)
    return Parity(
        rows=len(rows),
        max_difference=largest if np.isfinite(largest) else None,
        label_flips=flips,
        tolerance=tolerance,
        reason=_reason(largest, flips, tolerance),
    )


def not_compiled(reason: str, tolerance: float = TOLERANCE) -> Parity:
    """The outcome when there is no graph to compare with."""
    return Parity(rows=0, max_difference=None, label_flips=0, tolerance=tolerance, reason=reason)


def _ranges(values: Floats) -> Floats:
    """Largest less smallest value of each target; 1 where they are all the same."""
    ranges = np.ptp(values, axis=0)
    found: Floats = np.where(np.isfinite(ranges) & (ranges > 0), ranges, 1.0)
    return found


def _largest_difference(wanted: Floats, given: Floats) -> float:
    """Largest absolute difference; infinite where only one of the two has a number."""
    both = np.isfinite(wanted) & np.isfinite(given)
    if (np.isfinite(wanted) != np.isfinite(given)).any():
        return float("inf")
    return float(np.abs(wanted[both] - given[both]).max(initial=0.0))


def _flips(task: Task, threshold: float, wanted: Floats, given: Floats) -> int:
    if task is Task.REGRESSION:
        return 0
    return int(np.not_equal(labels.positions(wanted, threshold), labels.positions(given, threshold)).sum())


def _reason(largest: float, flips: int, tolerance: float) -> str:
    reasons = []
    if largest > tolerance:
        reasons.append(f"scores differ by up to {largest:.3g}, more than {tolerance:g}")
    if flips:
        reasons.append(f"{flips} labels differ")
    return " and ".join(reasons)
