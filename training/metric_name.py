"""Names of evaluation metrics, for documents; what they are stands in ``training.evaluation``."""

from __future__ import annotations

from typing import Literal

MetricName = Literal["accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier", "rmse", "mae", "r2"]
LOWER_IS_BETTER = frozenset({"log_loss", "brier", "rmse", "mae"})
