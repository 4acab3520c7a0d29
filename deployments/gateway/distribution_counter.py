"""Counts the rows of one version on the bins of its reference profile, many at a time."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from deployments.contracts.distributions import (
    CATEGORIES_COUNTED,
    PROBABILITY_BINS,
    Distributions,
    FeatureCounts,
    reference_cells,
    watched_score,
)
from deployments.contracts.feature_schema import Feature, FeatureSchema
from deployments.contracts.package import Task
from deployments.contracts.reference_profile import FeatureReference, Histogram, ReferenceProfile
from deployments.contracts.wire import Floats
from deployments.gateway.row_validation import ValidatedRows

COUNTED_ROWS = 512
"""Counted together: a row costs a microsecond or two then, where alone it would cost a hundred; and the event loop
is held for about a millisecond."""

_log = logging.getLogger("raygate.gateway")


class DistributionCounter:
    """Belongs to one event loop.

    Args:
        schema: Of the version's features.
        reference: What training saw of them. A feature that it does not know is not counted.
        task: What the model answers.
    """

    def __init__(self, schema: FeatureSchema, reference: ReferenceProfile, task: Task) -> None:
        self._task = task
        self._score_edges = None if reference.score is None else np.array(reference.score.edges[1:-1])
        self._counted = Distributions(
            score=[0] * len(reference.score.counts) if reference.score else [],
            probability=[] if task is Task.REGRESSION else [0] * PROBABILITY_BINS,
        )
        known = reference.features
        self._numeric = [
            (place, self._number(feature, known[feature.name]))
            for place, feature in enumerate(schema.numeric)
            if feature.name in known
        ]
        self._textual = [
            (place, self._category(feature, known[feature.name]))
            for place, feature in enumerate(schema.textual)
            if feature.name in known
        ]
        self._widths = len(schema.numeric), len(schema.textual)
        self._waiting: list[tuple[ValidatedRows, Floats]] = []
        self._waiting_rows = 0

    def add(self, rows: ValidatedRows, scores: Floats) -> None:
        """Take rows that were answered; nearly always this only remembers them for the next count."""
        self._waiting.append((rows, scores))
        self._waiting_rows += rows.count
        if self._waiting_rows >= COUNTED_ROWS:
            self._count()

    def counted(self) -> Distributions:
        """All rows so far; goes on changing."""
        self._count()
        return self._counted

    def _count(self) -> None:
        waiting, rows = self._waiting, self._waiting_rows
        if not rows:
            return
        self._waiting, self._waiting_rows = [], 0
        try:
            self._count_all(waiting, rows)
        except Exception:  # rows that no test thought of: their callers have their answers, and keep them
            _log.exception("%s rows could not be counted on the bins of the reference profile", rows)

    def _count_all(self, waiting: Sequence[tuple[ValidatedRows, Floats]], rows: int) -> None:
        self._counted.rows += rows
        numeric_width, textual_width = self._widths
        if self._numeric:
            flat = list(chain.from_iterable(one.numbers for one, _ in waiting))
            numbers = np.array(flat, dtype=np.float64).reshape(rows, numeric_width).T
            for place, number in self._numeric:
                number.count(numbers[place])
        if self._textual:
            texts = list(chain.from_iterable(one.texts for one, _ in waiting))
            for place, category in self._textual:
                category.count(texts[place::textual_width])
        scores = watched_score(self._task, np.concatenate([values for _, values in waiting]))
        scores = scores[np.isfinite(scores)]
        if self._score_edges is not None:
            _add(self._counted.score, np.searchsorted(self._score_edges, scores, side="right"))
        if self._counted.probability:
            last = PROBABILITY_BINS - 1
            _add(self._counted.probability, np.clip((scores * PROBABILITY_BINS).astype(np.int64), 0, last))

    def _number(self, feature: Feature, reference: FeatureReference) -> _Numbers:
        counts = self._counted.features[feature.name] = FeatureCounts([0] * len(reference_cells(reference)))
        return _Numbers(feature, reference.histogram, counts)

    def _category(self, feature: Feature, reference: FeatureReference) -> _Categories:
        counts = self._counted.features[feature.name] = FeatureCounts([0] * len(reference_cells(reference)))
        return _Categories(reference, counts)


class _Numbers:
    """One number or boolean."""

    def __init__(self, feature: Feature, histogram: Histogram | None, counts: FeatureCounts) -> None:
        self._counts = counts
        # A bin holds its lower edge, and the outer bins are open.
        self._edges = None if histogram is None else np.array(histogram.edges[1:-1])
        self._minimum = -np.inf if feature.minimum is None else feature.minimum
        self._maximum = np.inf if feature.maximum is None else feature.maximum

    def count(self, values: Floats) -> None:
        present = values[~np.isnan(values)]
        self._counts.nulls += len(values) - len(present)
        self._counts.outside += int(((present < self._minimum) | (present > self._maximum)).sum())
        if self._edges is not None:
            _add(self._counts.cells, np.searchsorted(self._edges, present, side="right"))


class _Categories:
    """One category; of free text nulls are counted only."""

    def __init__(self, reference: FeatureReference, counts: FeatureCounts) -> None:
        self._counts = counts
        self._places = {text: min(place, CATEGORIES_COUNTED) for place, text in enumerate(reference.categories)}

    def count(self, texts: Sequence[str | None]) -> None:
        counts, places = self._counts, self._places
        for text, rows in Counter(texts).items():
            if text is None:
                counts.nulls += rows
            elif (place := places.get(text)) is not None:
                counts.cells[place] += rows
            elif places:
                counts.outside += rows


def _add(cells: list[int], places: NDArray[np.int64]) -> None:
    for place, rows in enumerate(np.bincount(places, minlength=len(cells)).tolist()):
        cells[place] += rows
