"""The libraries that fit one model in several processes, and what each wants of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from training.distributed.shard import Shard

_PRECISION = {"lightgbm": "float64", "xgboost": "float32"}
"""Precision in which each keeps numbers."""
_ONE_COPY = {"force_row_wise": False, "force_col_wise": True}
"""Row-wise LightGBM holds its bins twice."""
_NETWORK = re.compile(r"^\[(machines|num_machines|local_listen_port|tree_learner|pre_partition): .*\]\n", re.M)


def families() -> tuple[str, ...]:
    """Families that can be fitted by several workers."""
    return tuple(_PRECISION)


def precision(family: str) -> str:
    """Return what a family's rows are kept in."""
    return _PRECISION[family]


def trainer(family: str) -> Any:
    """Return Ray Train's trainer of a family: it tells the workers of each other."""
    if family == "xgboost":
        from ray.train.xgboost import XGBoostTrainer

        return XGBoostTrainer
    from ray.train.lightgbm import LightGBMTrainer

    return LightGBMTrainer


def fit(family: str, estimator: Any, shard: Shard, labels: Any, weights: Any, scratch: Path) -> Any:
    """Fit an estimator together with the other workers; all of them get the same model.

    XGBoost keeps what it counts of the rows on the disk. LightGBM has no such way: of every number it keeps one
    byte in memory.

    Args:
        family: Its family.
        estimator: As it would be fitted alone.
        shard: This worker's; it has a row of every label.
        labels: All labels in order; None for values.
        weights: Of the rows, or None.
        scratch: Directory for what a library keeps on the disk.
    """
    if family == "xgboost":
        from training.distributed import pages

        return pages.fit(estimator, shard, labels, weights, scratch / "pages")
    from ray.train.lightgbm import get_network_params
    from sklearn.base import clone

    target = shard.target if labels is None else labels[shard.target.astype(np.intp)]
    among = {"tree_learner": "data", "pre_partition": True, **_ONE_COPY, **get_network_params()}
    fitted = clone(estimator).set_params(**among).fit(shard.rows, target, sample_weight=weights)
    return _alone(estimator, fitted, among)


def _alone(estimator: Any, fitted: Any, among: dict[str, Any]) -> Any:
    """What was fitted, without the addresses of the workers: the model is used by one process, elsewhere."""
    from sklearn.base import clone

    fitted.booster_.model_from_string(_NETWORK.sub("", fitted.booster_.model_to_string()))
    alone = clone(estimator)
    given = {*among, *alone.get_params(), "_other_params"}
    vars(alone).update({name: value for name, value in vars(fitted).items() if name not in given})
    return alone
