"""The rows of a run: read, checked, named by their content, and split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from deployments.contracts.errors import FieldProblem, InvalidDocument
from deployments.contracts.package import Task
from training.config import Split, TrainingConfig

if TYPE_CHECKING:
    Labels = pd.Series[Any]
else:
    Labels = pd.Series

MOST_CLASSES = 50
"""A whole-number target with more values than this is a quantity, not a label."""


@dataclass(frozen=True)
class Part:
    """Some of the rows: features and what is to be predicted."""

    features: pd.DataFrame
    target: Labels


@dataclass(frozen=True)
class Dataset:
    """All rows of a run and the question that they answer.

    Attributes:
        task: What kind of question the target asks.
        classes: Labels; of two, the positive one is second. Empty for a regression.
        fingerprint: SHA-256 of the content: column names, dtypes and values of features and target.
        rows: All of them.
    """

    task: Task
    classes: tuple[str | int | bool, ...]
    fingerprint: str
    rows: Part


@dataclass(frozen=True)
class TrainingData:
    """Everything that a version is trained and judged on.

    Attributes:
        task: As of the data set.
        classes: As of the data set.
        train: For the model.
        validation: For choices.
        test: For the figures that are reported.
    """

    task: Task
    classes: tuple[str | int | bool, ...]
    train: Part
    validation: Part
    test: Part


def read(config: TrainingConfig) -> Dataset:
    """Read a run's rows.

    Raises:
        InvalidDocument: The config names a column or a label that the data does not have.
        PackagingFailed: The data cannot be read.
    """
    table = config.source.read()
    rows = Part(_features(table, config), table[config.target.column])
    task, classes = question(rows.target, config.target.positive)
    return Dataset(task, classes, fingerprint(pd.concat([rows.features, rows.target], axis=1)), rows)


def fingerprint(rows: pd.DataFrame) -> str:
    """SHA-256 (hex) of a frame's column names, dtypes and values, in order."""
    content = hashlib.sha256(repr([(name, str(dtype)) for name, dtype in rows.dtypes.items()]).encode())
    content.update(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes())
    return content.hexdigest()


def question(target: Labels, positive: str | int | bool | None) -> tuple[Task, tuple[str | int | bool, ...]]:
    """Tell the task and the labels from the target's values.

    Raises:
        InvalidDocument: There are nulls, there is only one label, or the positive label is not among two.
    """
    if target.isna().any():
        raise _refused("target.column", f"{target.name} is null in {int(target.isna().sum())} rows")
    labels = sorted(target.unique().tolist())
    if pd.api.types.is_float_dtype(target) or (
        pd.api.types.is_integer_dtype(target) and len(labels) > MOST_CLASSES
    ):
        return Task.REGRESSION, ()
    if len(labels) < 2:
        raise _refused("target.column", f"{target.name} has only the value {labels}")
    if positive is not None and (len(labels) != 2 or positive not in labels):
        raise _refused("target.positive", f"{positive!r} is not one of two labels; the column has {labels}")
    if len(labels) == 2 and positive is not None:
        labels.sort(key=lambda label: label == positive)
    return (Task.BINARY if len(labels) == 2 else Task.MULTICLASS), tuple(labels)


def split(dataset: Dataset, shares: Split) -> TrainingData:
    """Shuffle by the seed and cut into train, validation and test."""
    from sklearn.model_selection import train_test_split

    target = dataset.rows.target
    stratify = shares.stratify and dataset.task is not Task.REGRESSION

    def cut(positions: Any, share: float) -> tuple[Any, Any]:
        labels = target.iloc[positions] if stratify else None
        first, second = train_test_split(positions, test_size=share, random_state=shares.seed, stratify=labels)
        return first, second

    train, rest = cut(np.arange(len(target)), shares.validation + shares.test)
    validation, test = cut(rest, shares.test / (shares.validation + shares.test))
    parts = (_part(dataset.rows, positions) for positions in (train, validation, test))
    return TrainingData(dataset.task, dataset.classes, *parts)


def _part(whole: Part, positions: Any) -> Part:
    return Part(
        whole.features.iloc[positions].reset_index(drop=True), whole.target.iloc[positions].reset_index(drop=True)
    )


def _features(rows: pd.DataFrame, config: TrainingConfig) -> pd.DataFrame:
    wanted = {
        "target.column": [config.target.column],
        "features.include": config.features.include,
        "features.exclude": config.features.exclude,
    }
    for where, names in wanted.items():
        if unknown := [name for name in names if name not in rows.columns]:
            known = ", ".join(map(str, rows.columns))
            raise _refused(where, f"the data has no column {', '.join(unknown)}; it has {known}")
    names = config.features.include or tuple(rows.columns)
    left_out = {config.target.column, *config.features.exclude}
    return rows[[name for name in names if name not in left_out]]


def _refused(where: str, message: str) -> InvalidDocument:
    return InvalidDocument("training config", (FieldProblem(where, message),))
