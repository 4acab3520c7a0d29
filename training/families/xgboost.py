"""XGBoost: gradient boosted trees; takes nulls and unscaled numbers."""

from __future__ import annotations

import copy
from typing import Any

from xgboost import DMatrix, XGBRegressor
from xgboost.callback import TrainingCallback

from deployments.contracts.package import Task
from deployments.runtime.transformers.labelled_xgboost import LabelledXGBClassifier
from training.families import OnRound

SCALES = False
TAKES_NULLS = True
SEVERAL_TARGETS = False
INTERPRETABILITY = "low"
# One thread: trials share the machine, and the order of a sum decides its last digits.
_DEFAULTS = {"n_jobs": 1, "tree_method": "hist", "verbosity": 0}


def estimator(task: Task, parameters: dict[str, Any], seed: int) -> LabelledXGBClassifier | XGBRegressor:
    """Return an unfitted classifier or regressor."""
    kind = XGBRegressor if task is Task.REGRESSION else LabelledXGBClassifier
    return kind(**{**_DEFAULTS, "random_state": seed, **parameters})


class _Watch(TrainingCallback):
    def __init__(self, on_round: OnRound) -> None:
        super().__init__()
        self._on_round = on_round

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        self._on_round(epoch + 1, lambda held_out: model.predict(DMatrix(held_out)))
        return False


def fit_watched(
    estimator: LabelledXGBClassifier | XGBRegressor, rows: Any, target: Any, on_round: OnRound
) -> None:
    """Fit, telling after each round."""
    estimator.set_params(callbacks=[_Watch(on_round)])
    try:
        estimator.fit(rows, target)
    finally:
        estimator.set_params(callbacks=None)


def trees(estimator: LabelledXGBClassifier | XGBRegressor) -> int:
    """How many rounds it has."""
    rounds: int = estimator.get_booster().num_boosted_rounds()
    return rounds


def pruned(estimator: LabelledXGBClassifier | XGBRegressor, trees: int) -> Any:
    """Return a model of its first rounds."""
    part = copy.deepcopy(estimator).set_params(n_estimators=trees)
    # The wrapper has no public way to another booster.
    part._Booster = estimator.get_booster()[:trees]
    return part
