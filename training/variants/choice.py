"""Which form of a trained model is served."""

from __future__ import annotations

from collections.abc import Sequence

import cloudpickle

from deployments.contracts.package import Task
from deployments.runtime import columns as columnar
from training import evaluation, served_model
from training.errors import VariantRefused
from training.fitting import Subject
from training.metric_name import lower_is_better, usual
from training.places import Progress
from training.served_model import ServedModel
from training.variants import distilled, pruned, quantized
from training.variants.candidate import Candidate, Decide, NotMade
from training.variants.plan import Distilled, Pruned, Variant
from training.variants.report import Measured, VariantReport


def choose(
    original: ServedModel, subject: Subject, plans: Sequence[Variant], decide: Decide, progress: Progress
) -> tuple[ServedModel, tuple[VariantReport, ...]]:
    """Make every variant that is asked for, judge it on the validation rows, and serve the first that holds.

    A variant holds if it loses no more of its metric than its plan allows and is smaller than the trained model.

    Args:
        original: The model as it was trained.
        subject: What it was fitted from.
        plans: In the order in which they are wanted; those that are required go before the others.
        decide: Gives a fitted pipeline its threshold.
        progress: Told in one line what became of each.

    Returns:
        What is served, the original if no variant holds, and what became of each.

    Raises:
        VariantRefused: One that is required does not hold.
    """
    served, reports = original, []
    for plan in sorted(plans, key=lambda one: not one.required):
        # Of a quantity R²: it has no unit, so that a loss of it means the same anywhere.
        metric = plan.metric or ("r2" if subject.data.task is Task.REGRESSION else usual(subject.data.task))
        candidate, report = _judged(original, subject, plan, decide, metric)
        if report.refused and plan.required:
            raise VariantRefused(str(original.model.identity), str(report))
        if candidate is not None and not report.refused and served is original:
            served, report = candidate.served, report.model_copy(update={"served": True})
        progress(f"{original.model.identity}: {report}")
        reports.append(report)
    return served, tuple(reports)


def _judged(
    original: ServedModel, subject: Subject, plan: Variant, decide: Decide, metric: str
) -> tuple[Candidate | None, VariantReport]:
    report = VariantReport(
        kind=plan.kind, metric=metric, allowed_loss=plan.loss, original=_measured(original, subject, metric)
    )
    try:
        candidate = _made(original, subject, plan, decide, metric)
    except NotMade as error:
        return None, report.model_copy(update={"refused": str(error)})
    found = _measured(candidate.served, subject, metric)
    told = {"variant": found, "made": candidate.made, "curve": candidate.curve}
    return candidate, report.model_copy(update={**told, "refused": _refused(report, found)})


def _made(original: ServedModel, subject: Subject, plan: Variant, decide: Decide, metric: str) -> Candidate:
    if isinstance(plan, Pruned):
        return pruned.make(original, plan, subject, decide, metric)
    if isinstance(plan, Distilled):
        return distilled.make(original, plan, subject, decide)
    return quantized.make(original, subject)


def _refused(report: VariantReport, found: Measured) -> str:
    sign = -1 if lower_is_better(report.metric) else 1
    lost = sign * (report.original.value - found.value)
    if not lost <= report.allowed_loss:
        return f"it loses {lost:.4g} of {report.metric}, and {report.allowed_loss:g} is allowed"
    if found.bytes >= report.original.bytes:
        return f"it has {found.bytes} bytes, no fewer than the {report.original.bytes} of the trained model"
    return ""


def _measured(served: ServedModel, subject: Subject, metric: str) -> Measured:
    model, rows = served.model, subject.data.validation
    scores = served.scorer.predict(columnar.from_frame(rows.features, model.schema))
    figures = evaluation.evaluate(model.task, model.classes, model.threshold, rows.target, scores)
    size = len(served.graph) if served.graph is not None else len(cloudpickle.dumps(model.estimator))
    return Measured(
        value=figures[metric],
        bytes=size,
        one_row_milliseconds=served_model.one_row_milliseconds(served, rows.features),
        path=served.path,
    )
