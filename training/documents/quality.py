"""The part of a document that tells how good a version is, with its plots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deployments.contracts import labels
from deployments.contracts.package import Task
from deployments.contracts.wire import Floats
from training.documents import plots
from training.documents.section import Plot, Section, Table
from training.evaluation_report import EvaluationReport
from training.fairness import GroupComparison
from training.served_model import FittedModel

SHOWN_FEATURES = 15


@dataclass(frozen=True)
class Findings:
    """What was found out about a version beside its metrics.

    Attributes:
        rows: Rows of train, validation and test.
        importance: Loss of quality without each feature, the most important first.
        groups: Comparison of groups by column.
        positive: Binary only: whether each test row is positive.
        scores: Of the test rows.
    """

    rows: tuple[int, int, int]
    importance: Mapping[str, float]
    groups: Mapping[str, GroupComparison]
    positive: NDArray[np.bool_] | None
    scores: Floats


def metrics(
    model: FittedModel,
    report: EvaluationReport,
    findings: Findings,
    judged_by: str = "test rows that nothing was chosen by",
) -> Section:
    """Figures with intervals, confusion, ROC and calibration.

    Args:
        model: The model.
        report: The figures.
        findings: What is drawn.
        judged_by: What the rows are that the figures come from.
    """
    text = f"On {report.rows} {judged_by}, with 95 % bootstrap intervals."
    if report.threshold is not None:
        reason = f" ({report.threshold_reason})" if report.threshold_reason else ""
        text += f" {model.classes[1]} is returned from a probability of {report.threshold:.4g} on{reason}."
    figures = tuple(
        (name, f"{figure.value:.4g}", f"{figure.low:.4g} to {figure.high:.4g}")
        for name, figure in report.metrics.items()
    )
    tables, drawn = [Table(("metric", "value", "interval"), figures)], []
    if report.confusion:
        names = [labels.text(label) for label in model.classes]
        counted = zip(names, report.confusion, strict=True)
        tables.append(Table(("true \\ returned", *names), tuple((name, *map(str, row)) for name, row in counted)))
        drawn.append(Plot("Confusion: true label by returned label", plots.heat(report.confusion, names)))
    if model.task is Task.BINARY and findings.positive is not None:
        bins = [(one.predicted, one.observed) for one in report.calibration]
        drawn.append(Plot("ROC", plots.curve(_roc(findings), "false positive rate", "true positive rate")))
        drawn.append(Plot("Calibration", plots.curve(bins, "predicted", "observed", dots=True)))
    return Section("Quality", text, tuple(tables), tuple(drawn))


def importance(findings: Findings) -> Section:
    """Which features the quality rests on."""
    top = dict(list(findings.importance.items())[:SHOWN_FEATURES])
    if not top:
        return Section("Feature importance")
    text = "Quality lost on validation rows when the feature alone is shuffled."
    table = Table(("feature", "loss"), tuple((name, f"{loss:.4g}") for name, loss in top.items()))
    return Section("Feature importance", text, (table,), (Plot("Feature importance", plots.bars(top)),))


def _roc(findings: Findings) -> list[tuple[float, float]]:
    assert findings.positive is not None
    order = np.argsort(-findings.scores[:, 1], kind="stable")
    truth = findings.positive[order]
    found = np.concatenate([[0], np.cumsum(truth)]) / max(int(truth.sum()), 1)
    alarms = np.concatenate([[0], np.cumsum(~truth)]) / max(int((~truth).sum()), 1)
    step = max(1, len(found) // 200)
    return [*zip(alarms[::step].tolist(), found[::step].tolist(), strict=True), (1.0, 1.0)]
