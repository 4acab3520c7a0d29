"""LightGBM: gradient boosted trees; takes nulls and unscaled numbers."""

from __future__ import annotations

import copy
from typing import Any

from lightgbm import Booster, LGBMClassifier, LGBMRegressor

from deployments.contracts.package import Task
from training.families import OnRound

SCALES = False
TAKES_NULLS = True
SEVERAL_TARGETS = False
INTERPRETABILITY = "low"
# Histograms summed by several threads differ in the last digits: the same config must give the same model.
_REPRODUCIBLE = {"n_jobs": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1}


def estimator(task: Task, parameters: dict[str, Any], seed: int) -> LGBMClassifier | LGBMRegressor:
    """Return an unfitted classifier or regressor."""
    kind = LGBMRegressor if task is Task.REGRESSION else LGBMClassifier
    return kind(**{**_REPRODUCIBLE, "random_state": seed, **parameters})


def fit_watched(estimator: LGBMClassifier | LGBMRegressor, rows: Any, target: Any, on_round: OnRound) -> None:
    """Fit, telling after each round."""

    def after(state: Any) -> None:
        rounds = state.iteration + 1
        on_round(rounds, lambda held_out: state.model.predict(held_out, num_iteration=rounds))

    estimator.fit(rows, target, callbacks=[after])


def trees(estimator: LGBMClassifier | LGBMRegressor) -> int:
    """How many rounds it has."""
    rounds: int = estimator.booster_.current_iteration()
    return rounds


def pruned(estimator: LGBMClassifier | LGBMRegressor, trees: int) -> Any:
    """Return a model of its first rounds."""
    part = copy.deepcopy(estimator).set_params(n_estimators=trees)
    # The wrapper has no public way to another booster.
    part._Booster = Booster(model_str=estimator.booster_.model_to_string(num_iteration=trees))
    return part
