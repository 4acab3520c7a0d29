"""Shapley values of any model, by sampling.

The contribution of feature j to f(x) is the mean, over orders in which features become known and over background
rows z that stand for what is not known yet, of the change of f when x's value replaces z's at j:

    phi_j = E_{pi, z} [ f(x on features up to j in pi, z elsewhere) - f(x before j in pi, z elsewhere) ]

Every order is walked forwards and backwards (antithetic), which evens out features that come early. Along one walk
the changes telescope to f(x) - f(z), so base value and contributions add up to f(x) exactly, however few the
walks. A walk and its reverse together see both orders of any two features, so where no more than two features
interact at a time the values are exact for that background.

Source: E. Štrumbelj and I. Kononenko, "Explaining prediction models and individual predictions with feature
contributions", Knowledge and Information Systems 41 (2014); the antithetic orders: R. Mitchell et al., "Sampling
Permutations for Shapley Value Estimation", Journal of Machine Learning Research 23 (2022).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.wire import Columns, Flags, Floats
from deployments.runtime import columns as columnar

BACKGROUND_ROWS = 64
EVALUATIONS = 4096
"""Rows that one explanation may have scored; a model of many features has fewer background rows instead."""


@dataclass(frozen=True, slots=True)
class ShapleySampler:
    """Explains rows of one model, all against the same background and along the same walks.

    Equal rows have equal explanations, and what two rows' explanations differ by is not chance.

    Attributes:
        base_values: (m,): the mean margins of the background.
    """

    base_values: Floats
    _margins: Callable[[Columns], Floats]
    _background: Columns
    _background_margins: Floats
    _steps: NDArray[np.intp]
    """(walks, features): at which step of a walk a feature becomes known."""
    _numeric: list[int]
    _textual: list[int]

    @classmethod
    def prepare(
        cls, margins: Callable[[Columns], Floats], sample: Columns, schema: FeatureSchema, seed: int
    ) -> ShapleySampler:
        """Choose background rows and walks.

        Args:
            margins: (n, m) margins of n rows; NaN where the model fails.
            sample: Reference rows; some of them, evenly spaced, become the background.
            schema: The features.
            seed: The same walks for the same seed.

        Raises:
            ValueError: The model scores no reference row.
        """
        features = schema.features
        most = max(1, min(BACKGROUND_ROWS, EVALUATIONS // (2 * len(features))))
        sample_margins = margins(sample)
        scored = np.flatnonzero(np.isfinite(sample_margins).all(axis=1))
        if scored.size == 0:
            raise ValueError("the model scores no row of its reference sample")
        chosen = scored[np.unique(np.linspace(0, scored.size - 1, most).astype(int))]
        random = np.random.default_rng(seed)
        forwards = np.array([random.permutation(len(features)) for _ in chosen])
        return cls(
            base_values=sample_margins[chosen].mean(axis=0),
            _margins=margins,
            _background=columnar.take(sample, chosen.tolist()),
            _background_margins=sample_margins[chosen],
            _steps=np.concatenate([forwards, len(features) - 1 - forwards]),
            _numeric=[place for place, feature in enumerate(features) if feature.kind.is_numeric],
            _textual=[place for place, feature in enumerate(features) if not feature.kind.is_numeric],
        )

    def explain(self, row: Columns, margins: Floats) -> Floats:
        """Return the (m, features) contributions of one row.

        Args:
            row: One row.
            margins: Its (m,) margins.
        """
        walks, features = self._steps.shape
        known = np.arange(1, features)[np.newaxis, :, np.newaxis] > self._steps[:, np.newaxis, :]
        origins = np.repeat(np.tile(np.arange(len(self._background)), 2), features - 1)
        between = self._blend(row, known.reshape(-1, features), origins)
        values = np.empty((walks, features + 1, len(margins)))
        values[:, 0] = np.tile(self._background_margins, (2, 1))
        values[:, -1] = margins
        if features > 1:
            values[:, 1:-1] = self._margins(between).reshape(walks, features - 1, -1)
        changes = np.diff(values, axis=1)
        by_feature = np.take_along_axis(changes, self._steps[:, :, np.newaxis], axis=1)
        return np.asarray(by_feature.mean(axis=0).T, dtype=np.float64)

    def _blend(self, row: Columns, known: Flags, origins: NDArray[np.intp]) -> Columns:
        """The row's values where they are known, those of background rows elsewhere."""
        background, numbers = self._background, known[:, self._numeric]
        textual = []
        for place, ours, theirs in zip(self._textual, row.textual, background.textual, strict=True):
            texts = np.array([*theirs, ours[0]], dtype=object)
            textual.append(texts[np.where(known[:, place], len(theirs), origins)].tolist())
        return Columns(
            np.where(numbers, row.numeric, background.numeric[origins]),
            np.where(numbers, row.valid, background.valid[origins]),
            tuple(textual),
        )
