"""How good scores are: one figure a metric, from the scores that the served path gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from deployments.contracts.errors import PackagingFailed
from deployments.contracts.package import Task
from deployments.contracts.wire import Floats
from training.metric_name import LOWER_IS_BETTER


def evaluate(
    task: Task, classes: Sequence[str | int | bool], threshold: float, target: Any, scores: Floats
) -> dict[str, float]:
    """Return every metric of the task.

    Args:
        task: What kind of scores these are.
        classes: Labels in the order of the score columns; the second of two is the positive one.
        threshold: Binary only: probability from which the positive label is returned.
        target: True labels or values, n of them.
        scores: (n, k) probabilities, or (n, 1) values.

    Returns:
        Metric by name. Precision, recall and F1 are of the positive label, or the macro average over several
        classes; ``brier`` is the mean squared error of the probabilities (Brier 1950), summed over the classes
        when there are more than two; ``log_loss`` is in nats.
    """
    if task is Task.REGRESSION:
        return _of_values(np.asarray(target, dtype=np.float64), scores[:, 0])
    truth = positions(target, classes)
    predicted = label_positions(task, threshold, scores)
    scores = scores / scores.sum(axis=1, keepdims=True)  # float32 leaves a sum of 1 + 1e-7
    average = "binary" if task is Task.BINARY else "macro"
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        truth, predicted, average=average, zero_division=0.0
    )
    ranking = scores[:, 1] if task is Task.BINARY else scores
    one_hot = np.eye(len(classes))[truth]
    squared = ((scores - one_hot) ** 2).sum(axis=1)
    return {
        "accuracy": float(metrics.accuracy_score(truth, predicted)),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "roc_auc": float(metrics.roc_auc_score(truth, ranking, multi_class="ovr")),
        "log_loss": float(metrics.log_loss(truth, scores, labels=list(range(len(classes))))),
        "brier": float(squared.mean()) / (2 if task is Task.BINARY else 1),
    }


def positions(labels: Any, classes: Sequence[str | int | bool]) -> NDArray[np.intp]:
    """Position of each label among the classes.

    Raises:
        PackagingFailed: A label is not among them.
    """
    index = {label: position for position, label in enumerate(classes)}
    values = np.asarray(labels).tolist()
    if unknown := sorted({str(value) for value in values if value not in index}):
        raise PackagingFailed(
            "target", f"labels {', '.join(unknown)} are not among {', '.join(map(str, classes))}"
        )
    return np.array([index[value] for value in values], dtype=np.intp)


def label_positions(task: Task, threshold: float, scores: Floats) -> NDArray[np.intp]:
    """Position of the label that is returned for each row of scores."""
    if task is Task.BINARY:
        return (scores[:, 1] >= threshold).astype(np.intp)
    best: NDArray[np.intp] = scores.argmax(axis=1)
    return best


def check_gates(what: str, figures: Mapping[str, float], gates: Mapping[Any, float]) -> None:
    """Refuse a model that misses a gate.

    Raises:
        PackagingFailed: The error names every gate that was missed, with figure and limit.
    """
    missed = [_missed(name, figures, limit) for name, limit in gates.items()]
    if any(missed):
        raise PackagingFailed(what, "; ".join(text for text in missed if text))


def _missed(name: str, figures: Mapping[str, float], limit: float) -> str:
    if name not in figures:
        return f"gate {name}: this task has no such metric; it has {', '.join(figures)}"
    figure = figures[name]
    good = figure <= limit if name in LOWER_IS_BETTER else figure >= limit
    wanted = "at most" if name in LOWER_IS_BETTER else "at least"
    return "" if good else f"{name} on the test rows is {figure:.4f}, its gate wants {wanted} {limit:g}"


def _of_values(truth: Floats, values: Floats) -> dict[str, float]:
    return {
        "rmse": float(metrics.root_mean_squared_error(truth, values)),
        "mae": float(metrics.mean_absolute_error(truth, values)),
        "r2": float(metrics.r2_score(truth, values)),
    }
