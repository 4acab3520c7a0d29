"""Rows of a request against the feature schema of the version that answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from deployments.contracts.errors import FieldProblem, InvalidRows
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.wire import Columns

PROBLEM_LIMIT = 20
SHOWN_CHARACTERS = 40

Number = float | int
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ValidatedRows:
    """Rows that fit the schema, flat, so that rows of many callers can be joined cheaply.

    Attributes:
        count: Number of rows.
        numbers: count * (numeric features) values, row by row; NaN where the feature is null.
        texts: count * (textual features) values, row by row.
        unseen: Positions and names of categories that training never saw: allowed, but told.
    """

    count: int
    numbers: list[Number]
    texts: list[str | None]
    unseen: list[tuple[int, str]]

    def take(self, positions: list[int]) -> ValidatedRows:
        """Some of the rows; what was told of them stays with the whole."""
        return ValidatedRows(
            len(positions),
            _picked(self.numbers, positions, self.count),
            _picked(self.texts, positions, self.count),
            [],
        )


def _picked(values: list[Value], positions: list[int], count: int) -> list[Value]:
    width = len(values) // count
    return [value for row in positions for value in values[row * width : (row + 1) * width]]


class RowValidator:
    """Checks rows against one schema; built once a version, used for every request."""

    def __init__(self, schema: FeatureSchema) -> None:
        self.schema = schema
        self._listed = ", ".join(feature.name for feature in schema.features)
        self._names = frozenset(feature.name for feature in schema.features)
        self._numeric = tuple((f.name, f.nullable, f.kind is FeatureKind.BOOLEAN) for f in schema.numeric)
        self._textual = tuple(
            (f.name, f.nullable, frozenset(f.categories) if f.kind is FeatureKind.CATEGORY else None)
            for f in schema.textual
        )

    def validate(self, rows: list[Any], single: bool = False) -> ValidatedRows:
        """Return the rows' values.

        Args:
            rows: What the caller sent, each a JSON value.
            single: The caller sent one object, not a list: names of fields then carry no position.

        Raises:
            InvalidRows: Names every row and field that does not fit, at most ``PROBLEM_LIMIT`` of them.
        """
        numbers: list[Number] = []
        texts: list[str | None] = []
        unseen: list[tuple[int, str]] = []
        problems: list[FieldProblem] = []
        for position, row in enumerate(rows):
            if not self._take(row, position, numbers, texts, unseen):
                place = "features" if single else f"features[{position}]"
                problems.extend(self._explain(row, place))
                if len(problems) >= PROBLEM_LIMIT:
                    break
        if problems:
            raise InvalidRows(tuple(problems[:PROBLEM_LIMIT]))
        return ValidatedRows(len(rows), numbers, texts, unseen)

    def _take(
        self,
        row: Any,
        position: int,
        numbers: list[Number],
        texts: list[str | None],
        unseen: list[tuple[int, str]],
    ) -> bool:
        """Append the row's values; False, with no word of why, if anything does not fit: this is the hot path."""
        if type(row) is not dict:
            return False
        present = 0
        for name, nullable, boolean in self._numeric:
            value = row.get(name)
            if value is None:
                if not nullable:
                    return False
                present += name in row
                numbers.append(math.nan)
                continue
            kind = type(value)
            if (kind is not bool) if boolean else (kind is not float and kind is not int):
                return False
            if kind is float and not math.isfinite(value):
                return False
            present += 1
            numbers.append(value)
        for name, nullable, categories in self._textual:
            value = row.get(name)
            if value is None:
                if not nullable:
                    return False
                present += name in row
            elif type(value) is str:
                present += 1
                if categories is not None and value not in categories:
                    unseen.append((position, name))
            else:
                return False
            texts.append(value)
        return present == len(row)

    def _explain(self, row: Any, place: str) -> list[FieldProblem]:
        if type(row) is not dict:
            return [FieldProblem(place, f"must be an object of feature values, not {_shown(row)}")]
        problems = [
            FieldProblem(f"{place}.{feature.name}", message)
            for feature in self.schema.features
            if (message := _complaint(feature, row))
        ]
        unknown = (name for name in row if name not in self._names)
        problems.extend(
            FieldProblem(
                f"{place}.{shown_name(name)}", f"is not a feature of this model; features: {self._listed}"
            )
            for name in islice(unknown, PROBLEM_LIMIT)
        )
        return problems

    def join(self, batches: list[ValidatedRows]) -> Columns:
        """Rows of several requests as the columns of one call, in order."""
        count = sum(batch.count for batch in batches)
        if len(batches) == 1:
            numbers, texts = batches[0].numbers, batches[0].texts
        else:
            numbers = [value for batch in batches for value in batch.numbers]
            texts = [value for batch in batches for value in batch.texts]
        numeric = np.array(numbers, dtype=np.float64).reshape(count, len(self._numeric))
        valid = ~np.isnan(numeric)
        numeric[~valid] = 0.0
        width = len(self._textual)
        return Columns(numeric, valid, tuple(texts[column::width] for column in range(width)))


def _complaint(seen: Feature, row: Mapping[str, Any]) -> str:
    """What is wrong with one feature of a row, or nothing; no value of personal data stands in it."""
    feature = seen.for_callers()
    if feature.name not in row:
        return "" if feature.nullable else f"is required ({_expected(feature)})"
    value = row[feature.name]
    if value is None:
        return (
            "" if feature.nullable else f"must not be null: training never saw it missing ({_expected(feature)})"
        )
    if feature.kind is FeatureKind.NUMBER:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"must be a number, not {_shown_of(feature, value)}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"must be a finite number, not {value}"
        return ""
    if feature.kind is FeatureKind.BOOLEAN:
        return "" if isinstance(value, bool) else f"must be true or false, not {_shown_of(feature, value)}"
    return "" if isinstance(value, str) else f"must be a text, not {_shown_of(feature, value)}"


def _expected(feature: Feature) -> str:
    if feature.categories:
        listed = ", ".join(feature.categories[:8])
        kind = "a number: " if feature.kind is FeatureKind.NUMBER else ""
        return f"{kind}one of {listed}{', ...' if len(feature.categories) > 8 else ''}"
    if feature.kind is FeatureKind.NUMBER and feature.minimum is not None and feature.maximum is not None:
        return f"a number; training saw {feature.minimum:g} to {feature.maximum:g}"
    return {FeatureKind.NUMBER: "a number", FeatureKind.BOOLEAN: "true or false"}.get(feature.kind, "a text")


def _shown_of(feature: Feature, value: Any) -> str:
    return f"a value of type {type(value).__name__}" if feature.pii else _shown(value)


def _shown(value: Any) -> str:
    """A caller's value, shortened and escaped, so that no answer is larger than its question."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = ascii(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def shown_name(name: str) -> str:
    """A caller's name of something, shortened and escaped."""
    text = ascii(name)[1:-1]
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
