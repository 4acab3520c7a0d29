"""LightGBM: gradient boosted trees; takes nulls and unscaled numbers."""

from __future__ import annotations

from typing import Any

from lightgbm import LGBMClassifier, LGBMRegressor

from deployments.contracts.package import Task

SCALES = False
# Histograms summed by several threads differ in the last digits: the same config must give the same model.
_REPRODUCIBLE = {"n_jobs": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1}


def estimator(task: Task, parameters: dict[str, Any], seed: int) -> LGBMClassifier | LGBMRegressor:
    """Return an unfitted classifier or regressor."""
    kind = LGBMRegressor if task is Task.REGRESSION else LGBMClassifier
    return kind(**{**_REPRODUCIBLE, "random_state": seed, **parameters})
