"""Which raw feature each column that a model sees was made from, found by trying.

The names of transformed columns are a convention, and a custom transformer may follow none. So one feature at a
time runs through all the values that training knew while the others stand still: the columns that then change are
its own. A column that depends on several features (a ratio, a principal component) belongs to none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.wire import Columns, Flags, Floats
from deployments.runtime import columns as columnar

FIXED_ROWS = 8
"""Rows at which the other features stand still: a product of two does not show where the other one is zero."""
MOST_NUMBERS = 64


def find(transform: Callable[[Columns], Floats], sample: Columns, schema: FeatureSchema) -> Floats | None:
    """Return the owners of transformed columns as a (columns, features) matrix of zeros and ones.

    A column that no trial changes has a row of zeros: it is constant, or stands for what no reference row holds.

    Args:
        transform: From raw rows to what the model sees.
        sample: Reference rows.
        schema: The raw features.

    Returns:
        The matrix, or None if a column depends on several features.
    """
    numeric = {feature.name: position for position, feature in enumerate(schema.numeric)}
    textual = {feature.name: position for position, feature in enumerate(schema.textual)}
    fixed = np.unique(np.linspace(0, len(sample) - 1, FIXED_ROWS).astype(int)).tolist()
    owned = []
    for feature in schema.features:
        if feature.kind.is_numeric:
            trials = [_with_numbers(sample, row, numeric[feature.name], feature) for row in fixed]
        else:
            trials = [_with_texts(sample, row, textual[feature.name], feature) for row in fixed]
        owned.append(np.any([_varies(transform(rows)) for rows in trials], axis=0))
    owners: Floats = np.column_stack(owned).astype(np.float64)
    return owners if (owners.sum(axis=1) <= 1).all() else None


def _varies(transformed: Floats) -> Flags:
    """Whether each column has more than one value; a missing one is a value."""
    first = transformed[:1]
    same = (transformed == first) | (np.isnan(transformed) & np.isnan(first))
    flags: Flags = ~same.all(axis=0)
    return flags


def _with_numbers(sample: Columns, row: int, position: int, feature: Feature) -> Columns:
    known = np.unique(sample.numeric[sample.valid[:, position], position])
    if len(known) > MOST_NUMBERS:
        known = known[np.linspace(0, len(known) - 1, MOST_NUMBERS).astype(int)]
    bounds = [bound for bound in (feature.minimum, feature.maximum) if bound is not None]
    if feature.kind is FeatureKind.BOOLEAN:
        bounds = [0.0, 1.0]
    values = np.concatenate([known, bounds])
    trials = columnar.take(sample, [row] * (len(values) + feature.nullable))
    numeric, valid = trials.numeric.copy(), trials.valid.copy()
    numeric[: len(values), position], valid[: len(values), position] = values, True
    numeric[len(values) :, position], valid[len(values) :, position] = 0.0, False
    return replace(trials, numeric=numeric, valid=valid)


def _with_texts(sample: Columns, row: int, position: int, feature: Feature) -> Columns:
    known = {text for text in sample.textual[position] if text is not None}
    values: list[str | None] = [*sorted(known | set(feature.categories)), *[None] * feature.nullable]
    trials = columnar.take(sample, [row] * len(values))
    textual = (*trials.textual[:position], values, *trials.textual[position + 1 :])
    return replace(trials, textual=textual)
