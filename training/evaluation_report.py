"""What is known of a version's quality: the file ``evaluation.json`` of its package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from deployments.contracts.package import Task
from deployments.contracts.wire import Floats
from training.figure import Figure
from training.variants.report import VariantReport

if TYPE_CHECKING:
    from deployments.runtime.package import ModelPackage
    from training.custom_metric import Metric

EVALUATION = "evaluation.json"
CALIBRATION_BINS = 10


class CalibrationBin(BaseModel):
    """Rows of about equal score: what was promised, and what came.

    Attributes:
        rows: How many.
        predicted: Mean probability of the positive class.
        observed: Share of them that are positive.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    predicted: float
    observed: float


class EvaluationReport(BaseModel):
    """A version's quality by the path that is served.

    Attributes:
        rows: Test rows.
        metrics: By name.
        threshold: Binary only: probability from which the positive label is returned.
        threshold_reason: Why it is this one.
        confusion: Rows by true label, then by returned label, in the order of the classes; empty for a regression.
        calibration: Binary only: ten bins of equally many rows, the lowest scores first.
        calibration_error: How far probabilities are from shares: of the positive class, or of the label that is
            returned of several; None for a regression. Mean over ten bins of equally many rows.
        importance: Quality lost when one feature is shuffled, the most important first.
        one_row_milliseconds: Median time of scoring one row by the served path, where it was packaged.
        variants: What became of smaller and faster forms that the document asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")

    rows: int
    metrics: dict[str, Figure]
    threshold: float | None = None
    threshold_reason: str = ""
    confusion: tuple[tuple[int, ...], ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()
    calibration_error: float | None = None
    importance: dict[str, float] = {}
    one_row_milliseconds: float | None = None
    variants: tuple[VariantReport, ...] = ()

    @property
    def values(self) -> dict[str, float]:
        """The figures alone."""
        return {name: figure.value for name, figure in self.metrics.items()}


def read(package: ModelPackage) -> EvaluationReport | None:
    """Return what is known of a package's quality; None if nobody judged it."""
    if EVALUATION not in package.manifest.files:
        return None
    return EvaluationReport.model_validate_json(package.read(EVALUATION))


def build(
    task: Task,
    classes: tuple[str | int | bool, ...],
    threshold: float,
    target: Any,
    scores: Floats,
    *,
    threshold_reason: str = "",
    more: Mapping[str, Metric] | None = None,
) -> EvaluationReport:
    """Judge scores on labelled rows.

    Args:
        task: What kind of scores these are.
        classes: Labels in the order of the score columns.
        threshold: Binary only.
        target: True labels or values.
        scores: (n, k) probabilities, or (n, 1) values.
        threshold_reason: Why this threshold.
        more: Metrics of the document's author, by name.
    """
    from training import evaluation

    figures = _figures(task, classes, threshold, target, scores, more or {})
    if task is Task.REGRESSION:
        return EvaluationReport(rows=len(scores), metrics=figures)
    counts = evaluation.confusion(classes, threshold, target, scores)
    binary = task is Task.BINARY
    truth = evaluation.positions(target, classes)
    if binary:
        bins = calibration(truth == 1, scores[:, 1])
    else:
        bins = calibration(truth == scores.argmax(axis=1), scores.max(axis=1))
    return EvaluationReport(
        rows=len(scores),
        metrics=figures,
        threshold=threshold if binary else None,
        threshold_reason=threshold_reason if binary else "",
        confusion=tuple(tuple(row) for row in counts.tolist()),
        calibration=bins if binary else (),
        calibration_error=sum(one.rows * abs(one.predicted - one.observed) for one in bins) / len(scores),
    )


def _figures(
    task: Task,
    classes: tuple[str | int | bool, ...],
    threshold: float,
    target: Any,
    scores: Floats,
    more: Mapping[str, Metric],
) -> dict[str, Figure]:
    from training import bootstrap, custom_metric, evaluation

    values = evaluation.evaluate(task, classes, threshold, target, scores)
    ends = bootstrap.intervals(task, classes, threshold, target, scores)
    figures = {name: Figure(value=value, low=ends[name][0], high=ends[name][1]) for name, value in values.items()}
    own = {
        name: custom_metric.figure(metric, task, classes, threshold, target, scores)
        for name, metric in more.items()
    }
    return figures | own


def calibration(truth: Any, probability: Floats, bins: int = CALIBRATION_BINS) -> tuple[CalibrationBin, ...]:
    """Promised and observed share of positives in bins of about equally many rows."""
    parts = np.array_split(np.argsort(probability, kind="stable"), min(bins, len(probability)))
    return tuple(
        CalibrationBin(
            rows=len(part),
            predicted=float(probability[part].mean()),
            observed=float(np.asarray(truth)[part].mean()),
        )
        for part in parts
    )
