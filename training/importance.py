"""Which features a version's quality rests on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from deployments.runtime import columns as columnar
from training import evaluation, metric_name
from training.served_model import ServedModel

REPEATS = 3
MOST_ROWS = 1000


def permutation(served: ServedModel, features: pd.DataFrame, target: Any, seed: int = 0) -> dict[str, float]:
    """Return how much worse a model becomes when one feature is shuffled (Breiman 2001).

    Told in ROC-AUC of labels, RMSE of a quantity, R² of several.

    Features that say the same thing share what they are worth: each seems small while the other is there.

    Args:
        served: The version, by the path that is served.
        features: Labelled rows that it was not fitted on; the first thousand are used.
        target: Their labels or values.
        seed: Of the shuffles.

    Returns:
        Mean loss by feature, the most important first.
    """
    model, random = served.model, np.random.default_rng(seed)
    rows, labels = features.head(MOST_ROWS), target.head(MOST_ROWS)
    metric = metric_name.usual(model.task, model.targets)
    sign = -1.0 if metric_name.lower_is_better(metric) else 1.0

    def quality(frame: pd.DataFrame) -> float:
        scores = served.scorer.predict(columnar.from_frame(frame, model.schema))
        return sign * evaluation.evaluate(model.task, model.classes, model.threshold, labels, scores)[metric]

    whole = quality(rows)
    worth = {}
    for feature in model.schema.features:
        shuffled = [
            quality(rows.assign(**{feature.name: rows[feature.name].to_numpy()[random.permutation(len(rows))]}))
            for _ in range(REPEATS)
        ]
        worth[feature.name] = float(whole - np.mean(shuffled))
    return dict(sorted(worth.items(), key=lambda item: -item[1]))
