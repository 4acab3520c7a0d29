"""Names of evaluation metrics, for documents; what they are stands in ``training.evaluation``."""

from __future__ import annotations

from typing import Literal, get_args

from deployments.contracts.package import Task

MetricName = Literal[
    "accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier", "rmse", "mse", "mae", "r2"
]
COST = "cost"
"""Mean cost of a row's mistakes, where the document says what they cost."""
OF_QUANTITIES = frozenset({"rmse", "mse", "mae", "r2"})
"""The others are of labels."""
_LOWER_IS_BETTER = frozenset({"log_loss", "brier", "rmse", "mse", "mae", COST})


def of_target(name: str, target: str) -> str:
    """Name of a metric for one of several target columns, as ``r2.width``."""
    return f"{name}.{target}"


def judges(name: str, task: Task) -> bool:
    """Whether a metric of ours, also of one of several targets, is of a task."""
    return (name.partition(".")[0] in OF_QUANTITIES) == (task is Task.REGRESSION)


def judging(task: Task) -> tuple[str, ...]:
    """The metrics of a task."""
    return tuple(name for name in get_args(MetricName) if judges(name, task))


def usual(task: Task, targets: tuple[str, ...] = ()) -> MetricName:
    """What judges a model if a document does not say; errors of several targets have units of their own."""
    if targets:
        return "r2"
    return "rmse" if task is Task.REGRESSION else "roc_auc"


def lower_is_better(name: str) -> bool:
    """Whether a metric falls as a model becomes better; what has another name than ours rises."""
    return name.partition(".")[0] in _LOWER_IS_BETTER
