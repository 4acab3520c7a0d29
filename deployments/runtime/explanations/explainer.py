"""Explaining with a package: by the model's own contributions where they hold, else by sampling."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from deployments.contracts.explanations import (
    MAX_EXPLAINED_ROWS,
    Explanation,
    ExplanationMethod,
    Explanations,
    Unexplained,
)
from deployments.contracts.wire import Columns, Floats
from deployments.runtime import columns as columnar
from deployments.runtime.explanations import margin
from deployments.runtime.explanations.raw_contributions import RawContributions
from deployments.runtime.explanations.sampling_shapley import ShapleySampler
from deployments.runtime.predictor import Predictor

VERIFIED_ROWS = 64
_log = logging.getLogger("raygate.pool")


class Explainer:
    """Explains the scores of one predictor.

    A model's own method is used only if it gives the served scores of reference rows, and a row of a request keeps
    its explanation only if that adds up to the score that was returned. What the own method cannot add up (a word
    that no reference row held) is sampled.

    Args:
        predictor: Whose scores are explained; its native pipeline is loaded here, which takes seconds.
        clock: Monotonic seconds.
    """

    def __init__(self, predictor: Predictor, clock: Callable[[], float] = time.perf_counter) -> None:
        self._predictor, self._clock = predictor, clock
        self._task = predictor.package.metadata.task
        self._schema = predictor.package.schema
        self._sample = predictor.sample()
        scores = predictor.predict(self._sample).scores
        self._score_range = float(np.nanmax(scores) - np.nanmin(scores)) if np.isfinite(scores).any() else 0.0
        self._own = self._verified_own(scores)

    def explain(self, columns: Columns, rows: Sequence[int], scores: Floats, expires: float) -> Explanations:
        """Explain some rows; never raises for what is in them.

        Args:
            columns: The rows of a call.
            rows: Positions of those that ask.
            scores: (n, k) that were returned for all rows of the call; NaN where there is none.
            expires: Time of the clock after which no further row is begun.
        """
        began = self._clock()
        wanted = [row for row in dict.fromkeys(rows) if 0 <= row < len(columns)]
        unexplained: dict[int, str] = dict.fromkeys(wanted[MAX_EXPLAINED_ROWS:], Unexplained.TOO_MANY_ROWS)
        scored = []
        for row in wanted[:MAX_EXPLAINED_ROWS]:
            if np.isfinite(scores[row]).all():
                scored.append(row)
            else:
                unexplained[row] = Unexplained.NO_SCORE
        explained = self._by_own_method(columns, scored, scores)
        for row in scored:
            if row in explained:
                continue
            if self._clock() > expires:
                unexplained[row] = Unexplained.OUT_OF_TIME
                continue
            found = self._by_sampling(columnar.take(columns, [row]), scores[row : row + 1])
            if isinstance(found, Explanation):
                explained[row] = found
            else:
                unexplained[row] = found
        return Explanations(explained, dict(sorted(unexplained.items())), self._clock() - began)

    def _verified_own(self, scores: Floats) -> RawContributions | None:
        """The pipeline's own method, unless it fails on a reference row or does not give its served score."""
        rows = np.flatnonzero(np.isfinite(scores).all(axis=1))[:VERIFIED_ROWS].tolist()
        try:
            own = RawContributions.of(self._predictor.native, self._sample, self._schema, self._task)
            if own is None or not rows:
                return None
            base, contributions = own.explain(columnar.take(self._sample, rows))
            margins = base + contributions.sum(axis=2)
            return own if margin.agree(margins, scores[rows], self._task, self._score_range).all() else None
        except Exception as error:  # a pipeline of somebody else's may do anything; sampling needs its scores only
            _log.warning("the model cannot explain itself, explanations are sampled: %s", type(error).__name__)
            return None

    def _by_own_method(self, columns: Columns, rows: list[int], scores: Floats) -> dict[int, Explanation]:
        """Explanations of those rows for which the own method adds up to the score."""
        if self._own is None or not rows:
            return {}
        try:
            base, contributions = self._own.explain(columnar.take(columns, rows))
        except Exception:
            return {}
        holds = margin.agree(base + contributions.sum(axis=2), scores[rows], self._task, self._score_range)
        return {
            row: Explanation(self._own.name, base[position], contributions[position])
            for position, row in enumerate(rows)
            if holds[position]
        }

    def _by_sampling(self, row: Columns, scores: Floats) -> Explanation | Unexplained:
        margins = margin.of_scores(scores, self._task)
        try:
            contributions = self._sampler.explain(row, margins[0])
        except Exception:
            return Unexplained.MODEL_ERROR
        if not np.isfinite(contributions).all():
            return Unexplained.MODEL_ERROR
        base = self._sampler.base_values
        total = (base + contributions.sum(axis=1))[np.newaxis]
        if not margin.agree(total, scores, self._task, self._score_range).all():
            return Unexplained.NOT_ADDITIVE
        return Explanation(ExplanationMethod.SAMPLING_SHAPLEY, base, contributions)

    @cached_property
    def _sampler(self) -> ShapleySampler:
        """Seeded by the package: whoever has it and the features finds the same explanation again."""
        seed = int(self._predictor.package.digest, 16)
        return ShapleySampler.prepare(self._margins, self._sample, self._schema, seed)

    def _margins(self, columns: Columns) -> Floats:
        return margin.of_scores(self._predictor.predict(columns).scores, self._task)
