"""Rows at the edges of what a model may be sent: where two implementations of it drift apart first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deployments.contracts.feature_schema import Feature, FeatureSchema
from deployments.contracts.wire import Columns
from deployments.runtime import columns as columnar

UNSEEN = "\u00e7a n'existe pas"
"""A category that no training set holds; not ASCII, with a space and an apostrophe."""
BASES = 5
"""Real rows that every edge is tried on."""


def build(rows: Columns, schema: FeatureSchema) -> Columns:
    """Return variations of the first rows: one feature a time at an edge, then all features at once.

    Numbers: zero, the ends of their range, beyond both by the range, a thousand times larger, both signs, halves
    of whole ones. Texts: unseen, empty. Null where the schema allows it.
    """
    bases = columnar.take(rows, slice(0, BASES))
    varied = [bases]
    for position, feature in enumerate(schema.numeric):
        varied += [_with_number(bases, position, value) for value in _numbers(feature)]
        if feature.nullable:
            varied.append(_without_number(bases, position))
    for position, feature in enumerate(schema.textual):
        nulls = [None] if feature.nullable else []
        varied += [_with_text(bases, position, text) for text in [UNSEEN, "", *feature.categories[:20], *nulls]]
    varied.append(_all_null(bases, schema))
    return concatenated(varied)


def beside(rows: Columns, schema: FeatureSchema) -> Columns:
    """Return rows, and after them their variations."""
    return concatenated([rows, build(rows, schema)])


def concatenated(parts: list[Columns]) -> Columns:
    """Return the rows of several, one after the other."""
    return Columns(
        np.concatenate([part.numeric for part in parts]),
        np.concatenate([part.valid for part in parts]),
        tuple(
            [text for column in texts for text in column]
            for texts in zip(*(part.textual for part in parts), strict=True)
        ),
    )


def _numbers(feature: Feature) -> Iterator[float]:
    if feature.minimum is None or feature.maximum is None:  # a boolean
        yield from (0.0, 1.0)
        return
    span = (feature.maximum - feature.minimum) or 1.0
    yield from (0.0, feature.minimum, feature.maximum, feature.minimum - span, feature.maximum + span)
    yield from (feature.maximum + 1000 * span, feature.minimum - 1000 * span)
    yield feature.minimum + span / 2


def _with_number(rows: Columns, position: int, value: float) -> Columns:
    numeric, valid = rows.numeric.copy(), rows.valid.copy()
    numeric[:, position], valid[:, position] = value, True
    return Columns(numeric, valid, rows.textual)


def _without_number(rows: Columns, position: int) -> Columns:
    numeric, valid = rows.numeric.copy(), rows.valid.copy()
    numeric[:, position], valid[:, position] = 0.0, False
    return Columns(numeric, valid, rows.textual)


def _with_text(rows: Columns, position: int, text: str | None) -> Columns:
    textual = list(rows.textual)
    textual[position] = [text] * len(rows)
    return Columns(rows.numeric, rows.valid, tuple(textual))


def _all_null(rows: Columns, schema: FeatureSchema) -> Columns:
    for position, feature in enumerate(schema.numeric):
        rows = _without_number(rows, position) if feature.nullable else rows
    for position, feature in enumerate(schema.textual):
        rows = _with_text(rows, position, None if feature.nullable else UNSEEN)
    return rows
