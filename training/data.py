"""The rows of a run: read, checked, named by their content, and split."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from deployments.contracts.errors import FieldProblem, InvalidDocument
from deployments.contracts.package import Task
from training import row_content, validation
from training.config import Cleaning, Split, Target, TrainingConfig
from training.errors import DataRejected
from training.expectations import Expectations
from training.sources.versioned import pin
from training.validation import ValidationReport

Labels = Any
"""A series of labels or values, or a data frame with a column of values for each of several targets."""

MOST_CLASSES = 50
"""A whole-number target with more values than this is a quantity, not a label."""


@dataclass(frozen=True)
class Part:
    """Some of the rows: features and what is to be predicted."""

    features: pd.DataFrame
    target: Labels

    def take(self, positions: Any) -> Part:
        """Return some of the rows, numbered anew."""
        return Part(
            self.features.iloc[positions].reset_index(drop=True),
            self.target.iloc[positions].reset_index(drop=True),
        )


@dataclass(frozen=True)
class Dataset:
    """All rows of a run and the question that they answer.

    Attributes:
        task: What kind of question the target asks.
        classes: Labels; of two, the positive one is second. Empty for a regression.
        fingerprint: SHA-256 of the content: column names, dtypes and values of features and target, and of the
            moments that the rows are divided by.
        rows: All of them that cleaning left.
        order: Positions of the rows, the earliest first, if they are divided by time.
        checked: How the rows of the source compare with what is expected of them.
        version: Which version of its source was read; empty if the source keeps none.
        divided: The parts, where rows are divided by something else than a shuffle of all of them.
    """

    task: Task
    classes: tuple[str | int | bool, ...]
    fingerprint: str
    rows: Part
    order: Any = None
    checked: ValidationReport = field(default_factory=lambda: ValidationReport(0, (), ()))
    version: str = ""
    divided: TrainingData | None = None


@dataclass(frozen=True)
class TrainingData:
    """Everything that a version is trained and judged on.

    Attributes:
        task: As of the data set.
        classes: As of the data set.
        train: For the model.
        validation: For choices.
        test: For the figures that are reported.
        all_rows: Rows of each part, where these are a sample of more; None where they are all.
    """

    task: Task
    classes: tuple[str | int | bool, ...]
    train: Part
    validation: Part
    test: Part
    all_rows: tuple[int, int, int] | None = field(default=None, kw_only=True)

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of several targets; empty for one."""
        target = self.train.target
        return tuple(map(str, target.columns)) if isinstance(target, pd.DataFrame) else ()


def read(config: TrainingConfig) -> Dataset:
    """Read a run's rows and compare them with what is expected of them.

    Raises:
        SourceUnavailable: The data cannot be read.
        DataRejected: The rows are not as expected.
        InvalidDocument: The config names a column or a label that the data does not have.
    """
    source, version = pin(config.source)
    table = source.read()
    if table.empty:
        raise DataRejected("there are no rows to train from")
    expected = config.expected
    checked = ValidationReport(len(table), (), ())
    if expected.are_said:
        checked = validation.require(table, expected)
    several = config.target.columns
    rows = Part(features(table, config), table[list(several)] if several else table[config.target.column])
    kept = np.flatnonzero(_kept(table, rows.target, config.cleaning))
    moments = _moments(table, config.split.by_time)
    rows = rows.take(kept)
    task, classes = question(rows.target, config.target)
    named = [rows.features, rows.target]
    order = None
    if moments is not None:
        order = np.argsort(moments[kept], kind="stable")
        if config.split.by_time not in rows.features:
            named.append(pd.Series(moments[kept], name=config.split.by_time))
    content = row_content.fingerprint(pd.concat(named, axis=1))
    return Dataset(task, classes, content, rows, order, checked, version)


def question(target: Labels, asked: Target) -> tuple[Task, tuple[str | int | bool, ...]]:
    """Tell the task and the labels from the target's values and from what is said of it.

    Raises:
        InvalidDocument: There are nulls, there is only one value, the positive label is not among two, or texts
            are to be a quantity.
    """
    if isinstance(target, pd.DataFrame):
        for name in target.columns:
            question(target[name], asked.model_copy(update={"task": "regression"}))
        return Task.REGRESSION, ()
    if target.isna().any():
        raise _refused("target.column", f"{target.name} is null in {int(target.isna().sum())} rows")
    numeric = pd.api.types.is_numeric_dtype(target) and not pd.api.types.is_bool_dtype(target)
    try:
        labels = sorted(target.unique().tolist())
    except TypeError as error:
        raise _refused("target.column", f"{target.name} mixes kinds of values: {error}") from error
    if len(labels) < 2:
        raise _refused("target.column", f"{target.name} has only the value {labels}")
    if asked.task == "regression" or (asked.task is None and _is_quantity(target, len(labels))):
        if not numeric:
            raise _refused("target.task", f"{target.name} holds {labels[0]!r}, which is no quantity")
        return Task.REGRESSION, ()
    if pd.api.types.is_float_dtype(target):
        if fraction := next((label for label in labels if label % 1), None):
            message = f"{target.name} holds {fraction:g}, which is no label; is it a quantity (task: regression)?"
            raise _refused("target.task", message)
        labels = [int(label) for label in labels]
    positive = asked.positive
    if positive is not None and (len(labels) != 2 or positive not in labels):
        raise _refused("target.positive", f"{positive!r} is not one of two labels; the column has {labels}")
    if len(labels) == 2 and positive is not None:
        labels.sort(key=lambda label: label == positive)
    return (Task.BINARY if len(labels) == 2 else Task.MULTICLASS), tuple(labels)


def _is_quantity(target: Labels, values: int) -> bool:
    return pd.api.types.is_float_dtype(target) or (pd.api.types.is_integer_dtype(target) and values > MOST_CLASSES)


def split(dataset: Dataset, shares: Split) -> TrainingData:
    """Cut into train, validation and test: shuffled by the seed, or by time, the latest rows last.

    Raises:
        DataRejected: There are too few rows, or too few of one label, for three parts.
    """
    if dataset.divided is not None:
        return dataset.divided
    from sklearn.model_selection import train_test_split

    target = dataset.rows.target
    stratify = shares.stratify and dataset.task is not Task.REGRESSION

    def cut(positions: Any, share: float) -> tuple[Any, Any]:
        labels = target.iloc[positions] if stratify else None
        first, second = train_test_split(positions, test_size=share, random_state=shares.seed, stratify=labels)
        return first, second

    if dataset.order is not None:
        ends = np.cumsum([shares.train, shares.validation]) * len(target)
        return _divided(dataset, np.split(dataset.order, ends.round().astype(int)))
    try:
        train, rest = cut(np.arange(len(target)), shares.validation + shares.test)
        held_out, test = cut(rest, shares.test / (shares.validation + shares.test))
    except ValueError as error:
        counts = "" if dataset.task is Task.REGRESSION else f" ({target.value_counts().to_dict()})"
        raise DataRejected(f"{len(target)} rows{counts} do not make three parts: {error}") from error
    return _divided(dataset, [train, held_out, test])


def _divided(dataset: Dataset, positions: list[Any]) -> TrainingData:
    parts = [dataset.rows.take(some) for some in positions]
    for name, part in zip(("train", "validation", "test"), parts, strict=True):
        labels = set(part.target.unique().tolist()) if dataset.classes else set()
        if not len(part.target) or len(labels & set(dataset.classes)) < min(2, len(dataset.classes)):
            told = f" with the labels {sorted(labels)}" if dataset.classes else ""
            raise DataRejected(f"the {name} part has {len(part.target)} rows{told}")
    train, validation, test = parts
    known = set(train.target.unique().tolist()) if dataset.classes else set()
    if unknown := [label for label in dataset.classes if label not in known]:
        raise DataRejected(f"no training row is {', '.join(map(repr, unknown))}; the model could not return it")
    return TrainingData(dataset.task, dataset.classes, train, validation, test)


def _kept(table: pd.DataFrame, target: Labels, cleaning: Cleaning) -> Any:
    """Which rows cleaning leaves. Whole rows are compared: two customers may differ in their excluded id alone."""
    kept = pd.Series(True, index=table.index)
    if cleaning.missing_target == "drop":
        kept &= pd.DataFrame(target).notna().all(axis=1)
    if cleaning.duplicates == "drop":
        kept &= ~row_content.duplicated(table)
    return kept.to_numpy()


def _moments(table: pd.DataFrame, column: str | None) -> Any:
    """Where each row stands in time; None if nobody asks."""
    if column is None:
        return None
    if column not in table.columns:
        raise _refused("split.by_time", f"the data has no column {column}")
    values = table[column]
    if not pd.api.types.is_numeric_dtype(values):
        values = pd.to_datetime(values, errors="coerce", format="ISO8601", utc=True)
    if values.isna().any():
        row = int(values.isna().to_numpy().argmax())
        raise _refused("split.by_time", f"{column} is no date and no number in row {row}")
    return values.to_numpy()


def features(rows: pd.DataFrame, config: TrainingConfig) -> pd.DataFrame:
    """Return the columns that the model takes, dates written as a request would have them.

    Raises:
        InvalidDocument: The document names columns that are not there, dates that it does not call so, or lists.
    """
    wanted = {
        "target.columns" if config.target.columns else "target.column": config.target.names,
        "features.include": config.features.include,
        "features.exclude": config.features.exclude,
    }
    for where, names in wanted.items():
        if unknown := [name for name in names if name not in rows.columns]:
            known = ", ".join(map(str, rows.columns))
            raise _refused(where, f"the data has no column {', '.join(unknown)}; it has {known}")
    names = config.features.include or tuple(rows.columns)
    left_out = {*config.target.names, *config.features.exclude}
    if not (kept := [name for name in names if name not in left_out]):
        raise _refused("features", "no column is left to learn from")
    if nested := [name for name, column in rows[kept].items() if row_content.holds_nested(column)]:
        message = "holds lists or objects, which no request can; exclude the column, or make plain columns of it"
        raise _refused(f"features.columns.{nested[0]}", message)
    return _with_written_dates(rows[kept], config.expected)


def _with_written_dates(rows: pd.DataFrame, expected: Expectations) -> pd.DataFrame:
    """Dates of the source as texts of ISO 8601: as a request will have them."""
    written = {}
    for name, column in rows.items():
        first = next(iter(column.dropna()), None)
        if not isinstance(first, date):
            continue
        said = expected.columns.get(str(name))
        if said is None or said.kind != "date":
            message = "holds dates; say {kind: date}, or exclude the column"
            raise _refused(f"features.columns.{name}", message)
        written[str(name)] = column.map(lambda moment: moment.isoformat(), na_action="ignore").astype(object)
    return rows.assign(**written)


def _refused(where: str, message: str) -> InvalidDocument:
    return InvalidDocument("training config", (FieldProblem(where, message),))
