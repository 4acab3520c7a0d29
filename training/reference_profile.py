"""The baseline of every drift figure: what training rows, and scores on held-out rows, looked like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from deployments.contracts import labels
from deployments.contracts.distributions import watched_score
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.package import Task
from deployments.contracts.reference_profile import FeatureReference, Histogram, ReferenceProfile
from deployments.contracts.wire import Floats

BINS = 10


def build(
    rows: pd.DataFrame,
    schema: FeatureSchema,
    task: Task,
    classes: Sequence[str | int | bool],
    threshold: float,
    scores: Floats,
) -> ReferenceProfile:
    """Describe training rows and the served path's scores on held-out rows."""
    returned: dict[str, int] = {}
    if task is not Task.REGRESSION and len(scores):
        counts = np.bincount(labels.positions(scores, threshold), minlength=len(classes)).tolist()
        returned = dict(zip(map(labels.text, classes), counts, strict=True))
    return ReferenceProfile(
        rows=len(rows),
        features={feature.name: _feature(rows[feature.name], feature) for feature in schema.features},
        score=histogram(watched_score(task, scores)) if len(scores) else None,
        labels=returned,
    )


def histogram(values: Floats, bins: int = BINS) -> Histogram:
    """Count values on bins that hold about equally many of them.

    Equal shares make the population stability index comparable between bins. Where a value is so frequent that
    quantiles coincide there are fewer bins; a constant has two, so that a value below it is seen.

    Args:
        values: At least one finite value.
        bins: How many at most.
    """
    inner = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
    low, high = float(values.min()), float(values.max())
    inner = inner[(inner > low) & (inner < high)] if low < high else np.array([low])
    if inner.size == 0:  # one value takes nearly all rows: part it from the rest
        inner = np.array([np.nextafter(low, high)]) if np.median(values) == low else np.array([high])
    span = (high - low) or 1.0
    first = low if low < inner[0] else low - span
    last = high if high > inner[-1] else high + span
    edges = np.array([first, *inner, last])
    # np.histogram's last bin holds both of its edges, and so agrees with "the last bin is open".
    counts, _ = np.histogram(values, edges)
    return Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))


def _feature(column: Any, feature: Feature) -> FeatureReference:
    present = column.dropna()
    nulls = len(column) - len(present)
    if feature.kind is FeatureKind.BOOLEAN:
        truths = int(present.astype(bool).sum())
        counts = (len(present) - truths, truths)
        return FeatureReference(nulls=nulls, histogram=Histogram(edges=(0.0, 0.5, 1.0), counts=counts))
    if feature.kind is FeatureKind.NUMBER:
        return FeatureReference(nulls=nulls, histogram=histogram(present.to_numpy(dtype=np.float64)))
    if feature.kind is FeatureKind.TEXT:
        return FeatureReference(nulls=nulls)
    frequent = present.astype(str).value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return FeatureReference(nulls=nulls, categories={str(text): int(count) for text, count in frequent.items()})
