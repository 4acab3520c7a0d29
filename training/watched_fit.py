"""Fitting round by round, and judging on the way: what a search's early stopping looks at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from deployments.contracts.package import Task
from deployments.contracts.wire import Floats
from training import evaluation, families, fitting
from training.data import TrainingData
from training.fitting import Subject

Score = Callable[[Any], Floats]
"""Of prepared rows, by the rounds that there are until now."""


def fit(
    subject: Subject,
    parameters: dict[str, Any],
    milestones: frozenset[int],
    tell: Callable[[int, dict[str, float]], None],
) -> None:
    """Fit round by round, telling every metric on the validation rows after some of the rounds and after the last.

    Args:
        subject: Of a family that grows round by round.
        parameters: Hyperparameters that are looked for.
        milestones: After how many rounds to tell; judging costs time.
        tell: Takes the number of rounds and the metrics; what it raises ends the fit.
    """
    data, family = subject.data, families.family(subject.family)
    assert isinstance(family, families.WatchedFamily)
    pipeline = fitting.unfitted(subject, parameters)
    before, estimator = pipeline[:-1], pipeline[-1]
    rows = before.fit_transform(data.train.features, data.train.target)
    held_out = before.transform(data.validation.features)
    last: tuple[int, Score] | None = None

    def on_round(rounds: int, score: Score) -> None:
        nonlocal last
        last = (rounds, score)
        if rounds in milestones:
            tell(rounds, _judged(data, held_out, score))

    family.fit_watched(estimator, rows, data.train.target, on_round)
    if last is not None and last[0] not in milestones:
        tell(last[0], _judged(data, held_out, last[1]))


def _judged(data: TrainingData, held_out: Any, score: Score) -> dict[str, float]:
    """Every metric of a library's own scores: of two labels those of the second, in sorted order of the labels."""
    found = np.asarray(score(held_out), dtype=np.float64)
    if data.task is Task.BINARY:
        found = np.column_stack([1 - found, found])
    found = found.reshape(len(held_out), -1)
    if data.classes:
        labels = sorted(data.train.target.unique().tolist())
        found = found[:, [labels.index(label) for label in data.classes]]
    return evaluation.evaluate(data.task, data.classes, 0.5, data.validation.target, found)
