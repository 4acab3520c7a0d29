"""Reading the feature schema off training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from deployments.contracts.errors import FieldProblem, InvalidRows
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from training.expectations import ColumnExpectation, Expectations

MOST_CATEGORIES = 1000
"""A text column with more distinct values is free text."""
DATE = "Date (ISO 8601)"


def infer(rows: pd.DataFrame, expectations: Expectations = Expectations()) -> FeatureSchema:  # noqa: B008 frozen
    """Return the schema of the columns, in their order, from what these rows hold and what is said of them.

    Args:
        rows: Training rows.
        expectations: What is said of a column wins over what its rows happen to hold: its kind, that it may be
            null, its bounds, its categories, and of numbers that they are whole and which are allowed.

    Raises:
        InvalidRows: A column is neither numbers, booleans nor texts, or holds nothing.
    """
    problems: list[FieldProblem] = []
    features: list[Feature] = []
    for name, column in rows.items():
        try:
            expected = expectations.columns.get(str(name), ColumnExpectation())
            features.append(_as_said(_feature(str(name), column, expected.feature_kind), expected))
        except ValueError as error:
            problems.append(FieldProblem(str(name), str(error)))
    if problems:
        raise InvalidRows(tuple(problems))
    return FeatureSchema(features=tuple(features))


def _as_said(feature: Feature, expected: ColumnExpectation) -> Feature:
    """What is said is told to callers; as with what training saw, a request that is otherwise is answered."""
    date = DATE if expected.kind == "date" else ""
    said: dict[str, Any] = {"description": expected.description or date, "pii": expected.pii}
    if expected.nullable:
        said["nullable"] = True
    if feature.kind is FeatureKind.NUMBER:
        said["minimum"] = feature.minimum if expected.minimum is None else expected.minimum
        said["maximum"] = feature.maximum if expected.maximum is None else expected.maximum
        said["integral"] = feature.integral or expected.kind == "integer"  # with nulls the column is one of reals
        numbers = [one for one in expected.allowed if isinstance(one, int | float) and not isinstance(one, bool)]
        said["categories"] = tuple(map(str, sorted(numbers)))
    if feature.kind is FeatureKind.CATEGORY and expected.allowed:
        said["categories"] = tuple(sorted(map(str, expected.allowed)))
    return feature.model_copy(update=said)


def _feature(name: str, column: Any, said: FeatureKind | None) -> Feature:
    values = column.dropna()
    nullable = len(values) < len(column)
    if values.empty:
        raise ValueError("every row is null; exclude the column")
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = values.astype(column.dtype.categories.dtype)
    if _are_booleans(values):
        return Feature(name=name, kind=FeatureKind.BOOLEAN, nullable=nullable)
    if pd.api.types.is_numeric_dtype(values):
        return _number(name, values.to_numpy(dtype=np.float64), nullable, integral=column.dtype.kind in "iu")
    texts = {value for value in values.tolist() if isinstance(value, str)}
    if len(texts) < values.nunique():
        other = next(value for value in values.tolist() if not isinstance(value, str))
        raise ValueError(
            f"holds {other!r} ({type(other).__name__}); a column holds numbers, booleans or texts, not a mixture "
            "and not dates: derive a number first"
        )
    if said is FeatureKind.TEXT or (said is None and len(texts) > MOST_CATEGORIES):
        return Feature(name=name, kind=FeatureKind.TEXT, nullable=nullable)
    return Feature(name=name, kind=FeatureKind.CATEGORY, nullable=nullable, categories=tuple(sorted(texts)))


def _are_booleans(values: Any) -> bool:
    if pd.api.types.is_bool_dtype(values):
        return True
    return bool(values.dtype == object and all(isinstance(value, (bool, np.bool_)) for value in values.tolist()))


def _number(name: str, values: np.ndarray[Any, np.dtype[np.float64]], nullable: bool, integral: bool) -> Feature:
    if not np.isfinite(values).all():
        raise ValueError("holds infinity; a number must be finite or null")
    return Feature(
        name=name,
        kind=FeatureKind.NUMBER,
        nullable=nullable,
        minimum=float(values.min()),
        maximum=float(values.max()),
        integral=integral,
    )
