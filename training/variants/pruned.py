"""The first trees of a forest or of boosting."""

from __future__ import annotations

import dataclasses
from typing import Any

from sklearn.pipeline import Pipeline

from training import evaluation, families, fitting, served_model
from training.fitting import Subject
from training.metric_name import lower_is_better
from training.served_model import ServedModel
from training.variants.candidate import Candidate, Decide, NotMade
from training.variants.plan import Pruned
from training.variants.report import CurvePoint

SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
"""Of the trees, where a document does not say how many to try."""


def make(original: ServedModel, plan: Pruned, subject: Subject, decide: Decide, metric: str) -> Candidate:
    """Judge a model with fewer and fewer trees, and take the fewest that lose no more than is allowed.

    If all lose more, it is the best of them, for the numbers.

    Raises:
        NotMade: The model has no trees that could be left out.
    """
    family, model = _trees_of(subject), original.model
    whole = family.trees(model.estimator[-1])
    wanted = sorted({count for count in plan.trees or _shares_of(whole) if count < whole})
    if not wanted:
        raise NotMade(f"it has {whole} trees, and none of {', '.join(map(str, plan.trees or (whole,)))} is fewer")

    def first(count: int) -> Any:
        steps = model.estimator.steps
        return Pipeline([*steps[:-1], (steps[-1][0], family.pruned(steps[-1][1], count))])

    sign = -1 if lower_is_better(metric) else 1
    values = {count: _quality(original, first(count), subject, metric) for count in (*wanted, whole)}
    close = [count for count in wanted if sign * (values[whole] - values[count]) <= plan.loss]
    kept = close[0] if close else max(wanted, key=lambda count: (sign * values[count], -count))
    served = _served(original, first(kept), kept, subject, decide)
    curve = tuple(CurvePoint(trees=count, value=value) for count, value in values.items())
    return Candidate(served, f"{kept} of {whole} trees", curve)


def _trees_of(subject: Subject) -> families.PrunableFamily:
    family = families.family(subject.family)
    if not isinstance(family, families.PrunableFamily):
        raise NotMade(f"{subject.family} has no trees")
    if subject.calibration is not None:
        raise NotMade(f"{subject.calibration} calibration averages five models, each with trees of its own")
    if fitting.is_one_model_a_target(subject):
        raise NotMade("each of its targets has a model with trees of its own")
    return family


def _served(original: ServedModel, estimator: Any, trees: int, subject: Subject, decide: Decide) -> ServedModel:
    model, data = original.model, subject.data
    threshold, reason = decide(estimator)
    smaller = dataclasses.replace(
        model,
        estimator=estimator,
        parameters={**model.parameters, "n_estimators": trees},
        threshold=threshold,
        threshold_reason=reason,
    )
    served = served_model.choose_path(smaller, data.train.features, data.validation.features)
    return dataclasses.replace(served, variant="pruned")


def _shares_of(whole: int) -> tuple[int, ...]:
    """Odd numbers: votes of pure leaves cannot tie at 0.5, where float32 would break the tie."""
    return tuple(round(whole * share) | 1 for share in SHARES)


def _quality(original: ServedModel, estimator: Any, subject: Subject, metric: str) -> float:
    model, rows = original.model, subject.data.validation
    scores = fitting.scores(subject, estimator, rows)
    return evaluation.evaluate(model.task, model.classes, model.threshold, rows.target, scores)[metric]
