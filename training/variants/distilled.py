"""A smaller model that learns what a larger one says."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import has_fit_parameter

from deployments.contracts.package import Task
from deployments.contracts.wire import Floats
from training import fitting, served_model
from training.fitting import Subject
from training.served_model import ServedModel
from training.variants.candidate import Candidate, Decide, NotMade
from training.variants.plan import Distilled


def make(original: ServedModel, plan: Distilled, subject: Subject, decide: Decide) -> Candidate:
    """Fit a model of the plan's family on the trained model's scores of the training rows.

    Of labels the student learns the probabilities (temperature 1): every row stands once for each label, weighted
    by the probability that the teacher gives it, so that its log-loss is the cross-entropy to the teacher.

    Raises:
        NotMade: The family takes no weights of rows, or cannot be fitted.
    """
    model = original.model
    estimator = _taught(student_of(subject, plan), fitting.scores(subject, model.estimator, subject.data.train))
    threshold, reason = decide(estimator)
    smaller = dataclasses.replace(
        model,
        estimator=estimator,
        family=plan.family,
        parameters=dict(plan.parameters),
        threshold=threshold,
        threshold_reason=reason,
    )
    data = subject.data
    served = served_model.choose_path(smaller, data.train.features, data.validation.features)
    return Candidate(dataclasses.replace(served, variant="distilled"), f"{model.family} into {plan.family}")


def student_of(subject: Subject, plan: Distilled) -> Subject:
    """What is fitted instead of a version's own model."""
    return dataclasses.replace(subject, family=plan.family, parameters=dict(plan.parameters), calibration=None)


def _taught(student: Subject, said: Floats) -> Any:
    pipeline = fitting.unfitted(student, {})
    rows, target, weights = _lesson(student, said)
    name, last = pipeline.steps[-1]
    if weights is not None and not has_fit_parameter(last, "sample_weight"):
        raise NotMade(f"{student.family} takes no weights of rows")
    options = {} if weights is None else {f"{name}__sample_weight": weights}
    try:
        return pipeline.fit(rows, target, **options)
    except Exception as error:  # every library has errors of its own
        raise NotMade(f"{student.family} cannot be fitted: {' '.join(str(error).split())}") from error


def _lesson(student: Subject, said: Floats) -> tuple[pd.DataFrame, Any, Floats | None]:
    """Rows, what is to be answered, and how much each counts."""
    data, rows = student.data, student.data.train.features
    if data.task is Task.REGRESSION:
        return rows, pd.DataFrame(said, columns=list(data.targets)) if data.targets else said[:, 0], None
    labels = np.repeat(np.array(data.classes, dtype=data.train.target.to_numpy().dtype), len(rows))
    repeated = pd.concat([rows] * len(data.classes), ignore_index=True)
    weights = said.T.ravel()
    there = np.flatnonzero(weights > 0)
    return repeated.iloc[there], labels[there], weights[there]
