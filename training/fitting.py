"""Fitting one version's pipeline with given hyperparameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from sklearn.multioutput import MultiOutputRegressor

from deployments.contracts.errors import PackagingFailed
from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.package import Task
from deployments.contracts.wire import Floats
from deployments.runtime import columns as columnar
from deployments.runtime.native import NativeModel
from training import evaluation, families
from training.data import Part, TrainingData
from training.errors import DataRejected
from training.expectations import Expectations
from training.feature_plan import Features
from training.preprocessing import Preprocessing


@dataclass(frozen=True)
class Subject:
    """What is fitted: everything about a version but the hyperparameters that are looked for.

    Attributes:
        family: Kind of model.
        parameters: Hyperparameters that are fixed.
        schema: Raw features.
        data: Train, validation and test rows.
        seed: Of everything that draws.
        calibration: How probabilities are corrected, or not.
        features: How features become numbers.
        expectations: What is said of the columns.
        by_time: The training rows stand in order of time, and no fold may learn from what came after it.
    """

    family: str
    parameters: dict[str, Any]
    schema: FeatureSchema
    data: TrainingData
    seed: int
    calibration: Literal["sigmoid", "isotonic"] | None = None
    features: Features = field(default_factory=Features)
    expectations: Expectations = field(default_factory=Expectations)
    by_time: bool = False


def unfitted(subject: Subject, parameters: dict[str, Any]) -> Any:
    """Return a pipeline that takes raw rows.

    Raises:
        PackagingFailed: The family does not do this task, or has no such parameter.
    """
    family = families.family(subject.family)
    try:
        estimator = family.estimator(subject.data.task, {**subject.parameters, **parameters}, subject.seed)
    except TypeError as error:
        raise PackagingFailed(subject.family, f"cannot be made: {error}") from error
    if is_one_model_a_target(subject):
        estimator = MultiOutputRegressor(estimator)
    if subject.calibration is not None:
        estimator = _calibrated(estimator, subject)
    before = Preprocessing(
        subject.features, subject.schema, family, subject.data.task, subject.seed, subject.expectations
    )
    return before.pipeline(estimator)


def is_one_model_a_target(subject: Subject) -> bool:
    """Whether there are several targets, and the family answers for one at a time."""
    return bool(subject.data.targets) and not families.family(subject.family).SEVERAL_TARGETS


def fit(subject: Subject, parameters: dict[str, Any], rows: Part | None = None) -> Any:
    """Return a pipeline, fitted on the training rows or on others.

    Raises:
        PackagingFailed: The library refuses the parameters or the rows.
    """
    rows = rows or subject.data.train
    pipeline = unfitted(subject, parameters)
    try:
        return pipeline.fit(rows.features, rows.target)
    except Exception as error:  # every library has errors of its own
        raise PackagingFailed(subject.family, f"cannot be fitted: {' '.join(str(error).split())}") from error


def validate(subject: Subject, parameters: dict[str, Any]) -> dict[str, float]:
    """Fit with hyperparameters and return every metric on the validation rows."""
    return judge(subject, fit(subject, parameters), subject.data.validation)


def cross_validate(subject: Subject, parameters: dict[str, Any], folds: int) -> dict[str, float]:
    """Fit on all but one fold of the training rows and judge on it; return each metric's mean over the folds."""
    judged = list(judged_folds(subject, parameters, folds))
    return {name: float(np.nanmean([figures[name] for figures in judged])) for name in judged[0]}


def judged_folds(subject: Subject, parameters: dict[str, Any], folds: int) -> Iterator[dict[str, float]]:
    """Give every metric on each fold of the training rows, of a fit on the others; by time on those before it.

    Raises:
        DataRejected: The rows do not make so many folds.
    """
    train = subject.data.train
    for inside, outside in _folds(subject, folds):
        learnt, judged = train.take(inside), train.take(outside)
        if subject.by_time:
            _require_labels(subject, learnt, judged, folds)
        yield judge(subject, fit(subject, parameters, learnt), judged)


def _folds(subject: Subject, folds: int) -> list[tuple[Any, Any]]:
    """Positions of the rows that are learnt, and of those that judge."""
    from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit

    train = subject.data.train
    if subject.by_time:
        kind: Any = TimeSeriesSplit(folds)
    elif subject.data.task is Task.REGRESSION:
        kind = KFold(folds, shuffle=True, random_state=subject.seed)
    else:
        kind = StratifiedKFold(folds, shuffle=True, random_state=subject.seed)
    try:
        return list(kind.split(train.features, train.target))
    except ValueError as error:
        raise DataRejected(f"{len(train.target)} rows do not make {folds} folds: {error}") from error


def _require_labels(subject: Subject, learnt: Part, judged: Part, folds: int) -> None:
    """As of the parts of a division by time: every label is learnt, and two are told apart."""
    classes = subject.data.classes
    there = set(learnt.target.unique().tolist()) if classes else set()
    if missing := [label for label in classes if label not in there]:
        raise DataRejected(
            f"of {folds} folds by time, one learns from the first {len(learnt.target)} rows, and none of them is "
            f"{', '.join(map(repr, missing))}; take fewer folds"
        )
    if classes and judged.target.nunique() < 2:
        raise DataRejected(
            f"of {folds} folds by time, one is judged on {len(judged.target)} rows that all are "
            f"{judged.target.iloc[0]!r}; take fewer folds"
        )


def judge(subject: Subject, fitted: Any, rows: Part) -> dict[str, float]:
    """Return every metric of a fitted pipeline on labelled rows."""
    data = subject.data
    return evaluation.evaluate(data.task, data.classes, 0.5, rows.target, scores(subject, fitted, rows))


def scores(subject: Subject, fitted: Any, rows: Part) -> Floats:
    """Return a fitted pipeline's scores in the order of the classes."""
    data = subject.data
    dtypes = {str(name): dtype for name, dtype in data.train.features.dtypes.items()}
    model = NativeModel(fitted, subject.schema, data.task, data.classes, dtypes)
    return model.predict(columnar.from_frame(rows.features, subject.schema))


def _calibrated(estimator: Any, subject: Subject) -> Any:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import StratifiedKFold

    if subject.data.task is Task.REGRESSION:
        raise PackagingFailed(
            f"calibration {subject.calibration}", "the target is a quantity; there are no probabilities"
        )
    folds = StratifiedKFold(5, shuffle=True, random_state=subject.seed)
    return CalibratedClassifierCV(estimator, method=subject.calibration, cv=folds)
