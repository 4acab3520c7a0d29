"""How good scores are: every metric once, over weighted rows, so that a figure and its interval agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.contracts import labels
from deployments.contracts.errors import PackagingFailed
from deployments.contracts.package import Task
from deployments.contracts.wire import Floats
from training.metric_name import of_target

SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)


def evaluate(
    task: Task, classes: Sequence[str | int | bool], threshold: float, target: Any, scores: Floats
) -> dict[str, float]:
    """Return every metric of the task.

    Args:
        task: What kind of scores these are.
        classes: Labels in the order of the score columns; the second of two is the positive one.
        threshold: Binary only: probability from which the positive label is returned.
        target: True labels or values, n of them; of several quantities a data frame with a column each.
        scores: (n, k) probabilities, or (n, targets) values.

    Returns:
        Metric by name. Precision, recall and F1 are of the positive label, or the mean over several classes, as is
        ``roc_auc`` (one class against the rest, ties counted half); ``brier`` is the mean squared error of the
        probabilities (Brier 1950), summed over the classes when there are more than two; ``log_loss`` is in nats.
        Of several quantities each metric is there for each, as ``r2.width``; ``r2`` alone is the mean over them.
    """
    figures = weighted(task, classes, threshold, target, scores, np.ones((1, len(scores))))
    return {name: float(values[0]) for name, values in figures.items()}


def weighted(
    task: Task,
    classes: Sequence[str | int | bool],
    threshold: float,
    target: Any,
    scores: Floats,
    weights: Floats,
) -> dict[str, Floats]:
    """Return every metric of ``evaluate`` for several weightings of the rows.

    Args:
        task: As for ``evaluate``.
        classes: As for ``evaluate``.
        threshold: As for ``evaluate``.
        target: As for ``evaluate``.
        scores: As for ``evaluate``.
        weights: (m, n) weights of the rows, not negative.

    Returns:
        m values by name of the metric; NaN where the weighted rows have no such thing, as ROC-AUC of one label.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if task is Task.REGRESSION:
            return _of_quantities(target, scores, weights)
        return _of_labels(task, positions(target, classes), labels.positions(scores, threshold), scores, weights)


def positions(target: Any, classes: Sequence[str | int | bool]) -> NDArray[np.intp]:
    """Position of each true label among the classes.

    Raises:
        PackagingFailed: A label is not among them.
    """
    index = {label: position for position, label in enumerate(classes)}
    values = np.asarray(target).tolist()
    if unknown := sorted({str(value) for value in values if value not in index}):
        raise PackagingFailed(
            "target", f"labels {', '.join(unknown)} are not among {', '.join(map(labels.text, classes))}"
        )
    return np.array([index[value] for value in values], dtype=np.intp)


def confusion(classes: Sequence[str | int | bool], threshold: float, target: Any, scores: Floats) -> Any:
    """Counts of rows by true label (row) and returned label (column)."""
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(counts, (positions(target, classes), labels.positions(scores, threshold)), 1)
    return counts


def _of_labels(
    task: Task, truth: NDArray[np.intp], returned: NDArray[np.intp], scores: Floats, weights: Floats
) -> dict[str, Floats]:
    total = weights.sum(axis=1)
    watched = [1] if task is Task.BINARY else list(range(scores.shape[1]))
    by_class = [_of_class(truth == label, returned == label, scores[:, label], weights) for label in watched]
    probability = np.clip(scores / scores.sum(axis=1, keepdims=True), SMALLEST_PROBABILITY, 1.0)
    squared = ((scores - np.eye(scores.shape[1])[truth]) ** 2).sum(axis=1) / (2 if task is Task.BINARY else 1)
    return {
        "accuracy": weights @ (truth == returned) / total,
        **{name: _mean_of_present([figures[name] for figures in by_class]) for name in by_class[0]},
        "log_loss": weights @ -np.log(probability[np.arange(len(truth)), truth]) / total,
        "brier": weights @ squared / total,
    }


def _of_class(
    truth: NDArray[np.bool_], returned: NDArray[np.bool_], score: Floats, weights: Floats
) -> Mapping[str, Floats]:
    hits, found, there = weights @ (truth & returned), weights @ returned, weights @ truth
    return {
        "precision": np.where(found > 0, hits / found, 0.0),
        "recall": np.where(there > 0, hits / there, 0.0),
        "f1": np.where(found + there > 0, 2 * hits / (found + there), 0.0),
        "roc_auc": roc_auc(truth, score, weights),
    }


def roc_auc(truth: NDArray[np.bool_], score: Floats, weights: Floats) -> Floats:
    """Probability that a positive row scores above a negative one, ties counted half (Mann-Whitney).

    Returns:
        m values for (m, n) weights; NaN where one of the labels has no weight.
    """
    order = np.argsort(score, kind="stable")
    ranked = score[order]
    first = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    ordered = weights[:, order]
    positive = np.add.reduceat(ordered * truth[order], first, axis=1)
    negative = np.add.reduceat(ordered * ~truth[order], first, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    area: Floats = np.where(pairs > 0, (positive * below).sum(axis=1) / np.where(pairs > 0, pairs, 1.0), np.nan)
    return area


def _mean_of_present(values: Sequence[Floats]) -> Floats:
    table = np.stack(values)
    there = ~np.isnan(table)
    mean: Floats = np.where(there, table, 0.0).sum(axis=0) / there.sum(axis=0)
    return mean


def _of_quantities(target: Any, scores: Floats, weights: Floats) -> dict[str, Floats]:
    truth = np.asarray(target, dtype=np.float64).reshape(len(scores), -1)
    figures = [_of_values(truth[:, one], scores[:, one], weights) for one in range(truth.shape[1])]
    if len(figures) == 1:
        return figures[0]
    means = {name: np.mean([values[name] for values in figures], axis=0) for name in figures[0]}
    named = zip(target.columns, figures, strict=True)
    return means | {of_target(name, one): values for one, found in named for name, values in found.items()}


def _of_values(truth: Floats, values: Floats, weights: Floats) -> dict[str, Floats]:
    total = weights.sum(axis=1)
    squared = weights @ (truth - values) ** 2 / total
    mean = weights @ truth / total
    return {
        "rmse": np.sqrt(squared),
        "mse": squared,
        "mae": weights @ np.abs(truth - values) / total,
        # The variance about the weighted mean; shifted first, so that nothing cancels.
        "r2": 1 - squared / (weights @ (truth - truth.mean()) ** 2 / total - (mean - truth.mean()) ** 2),
    }
