"""A new model against the one that it is to replace, on the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from deployments.contracts.errors import PackagingFailed
from deployments.contracts.wire import Columns, Floats
from deployments.runtime.package import ModelPackage
from deployments.runtime.predictor import Predictor
from training import bootstrap, evaluation
from training.metric_name import lower_is_better


@dataclass(frozen=True)
class Duel:
    """One metric of both, and how far the challenger is ahead.

    Attributes:
        metric: Its name.
        rows: Rows that both scored.
        champion: The champion's figure.
        challenger: The challenger's.
        gain: Their difference, positive where the challenger is better.
        low: Lower end of the gain's interval of 95 %.
        high: Upper end.
    """

    metric: str
    rows: int
    champion: float
    challenger: float
    gain: float
    low: float
    high: float

    def is_won(self, minimum_gain: float) -> bool:
        """Whether the challenger is surely better by more than that; what cannot be told is not won."""
        return bool(self.low > minimum_gain)


def fight(champion: ModelPackage, challenger: ModelPackage, rows: Columns, truth: Any, metric: str) -> Duel:
    """Let both score the same rows.

    The gain's interval is a paired percentile bootstrap (Efron 1979): every draw of rows judges both, so what
    makes rows hard for both does not widen it. Each answers by the path and with the threshold that its package
    froze. Rows that either cannot score are left out for both.

    Args:
        champion: The package that is served.
        challenger: The package that wants to be.
        rows: Features, by the schema of both.
        truth: True labels or values, one a row.
        metric: One of ``evaluation.evaluate``.

    Raises:
        PackagingFailed: The metric is none of this task.
    """
    scores = [Predictor(package).predict(rows).scores for package in (champion, challenger)]
    known = np.isfinite(scores[0]).all(axis=1) & np.isfinite(scores[1]).all(axis=1)
    target = truth[known] if isinstance(truth, np.ndarray) else truth.loc[known].reset_index(drop=True)
    one, other = (
        _figures(package, target, found[known], metric)
        for package, found in zip((champion, challenger), scores, strict=True)
    )
    sign = -1.0 if lower_is_better(metric) else 1.0
    gains = sign * (other.drawn - one.drawn)
    low, high = bootstrap.ends(gains)
    count = int(known.sum())
    return Duel(metric, count, one.value, other.value, sign * (other.value - one.value), low, high)


@dataclass(frozen=True)
class _Figures:
    value: float
    drawn: Floats


def _figures(package: ModelPackage, target: Any, scores: Floats, metric: str) -> _Figures:
    about = package.metadata

    def weighted(weights: Floats) -> Floats:
        found = evaluation.weighted(about.task, about.classes, about.threshold, target, scores, weights)
        if metric not in found:
            known = ", ".join(found)
            raise PackagingFailed(
                "challenge.metric", f"{metric} is no metric of a {about.task.value}; known: {known}"
            )
        return found[metric]

    value = float(weighted(np.ones((1, len(scores))))[0])
    return _Figures(value, np.concatenate([weighted(weights) for weights in bootstrap.draws(len(scores))]))
