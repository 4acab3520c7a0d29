"""Names of evaluation metrics, for documents; what they are stands in ``training.evaluation``."""

from __future__ import annotations

from typing import Literal

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


def lower_is_better(name: str) -> bool:
    """Whether a metric falls as a model becomes better; what has another name than ours rises."""
    return name.partition(".")[0] in _LOWER_IS_BETTER
