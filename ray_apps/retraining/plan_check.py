"""Whether a retraining document fits its training document and the model that is served. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from deployments.contracts import duration
from deployments.contracts.errors import FieldProblem
from deployments.contracts.package import ModelMetadata, Task
from monitoring.sliding import WINDOW_SECONDS
from ray_apps.retraining.plan import RetrainingPlan
from training import metric_name
from training.config import TrainingConfig

MEASURED = {
    Task.BINARY: ("accuracy", "precision", "recall", "roc_auc"),
    Task.MULTICLASS: ("accuracy",),
    Task.REGRESSION: ("rmse", "mae"),
}
"""What the monitor measures on labels and packages have a baseline of."""


def problems(plan: RetrainingPlan, config: TrainingConfig, champion: ModelMetadata) -> Iterator[FieldProblem]:
    """Everything for which a run of the plan would fail, or a trigger never be met.

    Args:
        plan: The retraining document.
        config: The training document that it names.
        champion: Metadata of the version that is stable.
    """
    yield from _of_training(plan, config, champion)
    drift, hour = plan.triggers.drift, timedelta(seconds=WINDOW_SECONDS)
    if drift and drift.critical > 1 and drift.every < hour:
        told = (
            f"{duration.text(drift.every)} is shorter than the monitor's window of {duration.text(hour)}: one "
            f"burst of rows would make {drift.critical} windows critical; make it longer, or look at one window"
        )
        yield FieldProblem("triggers.drift.every", told)
    quality = plan.triggers.quality
    if quality and quality.metric not in (measured := MEASURED[champion.task]):
        told = f"{quality.metric} is not measured of a {champion.task}; the monitor measures {', '.join(measured)}"
        yield FieldProblem("triggers.quality.metric", told)
    metric = plan.challenge.metric
    if metric not in (judging := _judging(champion)):
        told = f"{metric} is no metric of a {champion.task}; known: {', '.join(judging)}"
        yield FieldProblem("challenge.metric", told)


def _of_training(plan: RetrainingPlan, config: TrainingConfig, champion: ModelMetadata) -> Iterator[FieldProblem]:
    if config.model != champion.model:
        told = f"{plan.training} trains {config.model}, and {plan.endpoint} serves {champion.model}"
        yield FieldProblem("training", told)
    versions = [str(one.version) for one in config.versions]
    if plan.recipe is not None and str(plan.recipe) not in versions:
        told = f"{plan.recipe} is not in {plan.training}; it has {', '.join(versions)}"
        yield FieldProblem("recipe", told)
    if config.distributed:
        told = (
            f"{plan.training} says distributed, and logged rows are put beside those of one process; leave it out"
        )
        yield FieldProblem("training", told)
    column, features = config.split.by_time, config.features
    is_left_out = column in features.exclude or (features.include and column not in features.include)
    if column is not None and is_left_out and column not in config.target.names:
        told = (
            f"{plan.training} splits by_time {column}, which is no feature, so logged rows do not have it; "
            "make it a feature, or leave by_time out"
        )
        yield FieldProblem("training", told)


def _judging(champion: ModelMetadata) -> list[str]:
    """Metrics by which a challenge of this task is decided."""
    names = metric_name.judging(champion.task)
    if champion.task is not Task.REGRESSION:
        return list(names)
    of_each = [metric_name.of_target(name, one) for one in champion.targets for name in sorted(names)]
    return [*sorted(names), *of_each]
