"""Scores to margins, in which contributions add up, and back.

A binary classifier's margin is the log-odds of its second class, that of k > 2 classes the logarithm of each
probability (up to a constant that the softmax takes out again), a regression's the value itself.
"""

from __future__ import annotations

import numpy as np

from deployments.contracts.explanations import TOLERANCE
from deployments.contracts.package import Task
from deployments.contracts.wire import Flags, Floats

PROBABILITY_FLOOR = 1e-4
"""Probabilities of 0 and 1, which forests give, have no finite logarithm: they are moved by so much, which is far
less than the tolerance."""


def of_scores(scores: Floats, task: Task) -> Floats:
    """Return (n, m) margins of (n, k) scores.

    >>> of_scores(np.array([[0.5, 0.5]]), Task.BINARY)
    array([[0.]])
    """
    if task is Task.REGRESSION:
        return scores
    if task is Task.BINARY:
        positive = np.clip(scores[:, 1:2], PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
        margins: Floats = np.log(positive) - np.log1p(-positive)
        return margins
    logarithms: Floats = np.log(np.maximum(scores, PROBABILITY_FLOOR / scores.shape[1]))
    return logarithms


def to_scores(margins: Floats, task: Task) -> Floats:
    """Return the (n, k) scores of (n, m) margins: logistic function, softmax, or the value itself.

    >>> to_scores(np.array([[0.0]]), Task.BINARY)
    array([[0.5, 0.5]])
    """
    if task is Task.REGRESSION:
        return margins
    if task is Task.BINARY:
        margins = np.concatenate([np.zeros_like(margins), margins], axis=1)
    powers = np.exp(margins - margins.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


def agree(margins: Floats, scores: Floats, task: Task, score_range: float) -> Flags:
    """Tell for each of n rows whether margins stand for scores, within ``TOLERANCE``.

    Args:
        margins: (n, m); a row that is not finite stands for nothing.
        scores: (n, k) that were returned.
        task: How the two are related.
        score_range: For a regression: largest less smallest reference score, to which the tolerance is relative.
    """
    if (
        task is Task.MULTICLASS
    ):  # one against all: such scores do not add up to 1, and only their shares have a margin
        scores = scores / scores.sum(axis=1, keepdims=True)
    largest = np.abs(to_scores(margins, task) - scores).max(axis=1)
    allowed: Floats = np.full(len(scores), TOLERANCE)
    if task is Task.REGRESSION:
        allowed *= np.maximum(score_range, np.abs(scores).max(axis=1))
    flags: Flags = largest <= allowed
    return flags
