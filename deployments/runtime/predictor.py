"""Predicting with a package, whichever path it froze, so that one bad row never fails its neighbours."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from deployments.contracts.package import COMPILED_GRAPH, QUANTIZED, REFERENCE_SAMPLE, InferencePath
from deployments.contracts.wire import Columns, Floats
from deployments.runtime import columns as columnar
from deployments.runtime.compiled import CompiledModel
from deployments.runtime.native import NativeModel
from deployments.runtime.package import ModelPackage

MODEL_ERROR = "model_error"
NOT_FINITE = "not_finite"
WARM_UP_ROWS = 16


class Scorer(Protocol):
    """One path: scores for all rows, or an exception for all of them."""

    def predict(self, columns: Columns) -> Floats:
        """Return float64 (n, k) scores."""
        ...


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of one batch.

    Attributes:
        scores: float64 (n, k); a row without a score holds NaN.
        path: The path that the package froze (a single row may have needed the other one).
        errors: Why a row has no score, by position: ``model_error`` or ``not_finite``.
    """

    scores: Floats
    path: InferencePath
    errors: dict[int, str] = field(default_factory=dict)


class Predictor:
    """The model of one package.

    Args:
        package: A verified package.
        path: Which implementation answers; None is the one that the package froze.
    """

    def __init__(self, package: ModelPackage, path: InferencePath | None = None) -> None:
        self.package = package
        self.path = path or package.metadata.path
        self._width = package.metadata.width
        self._scorer: Scorer = self.native if self.path is InferencePath.NATIVE else self._compiled()

    def predict(self, columns: Columns) -> Scored:
        """Score rows; never raises for what is in them."""
        try:
            scores = self._scorer.predict(columns)
        except Exception:
            return self._isolated(columns)
        if np.isfinite(scores).all():
            return Scored(scores, self.path)
        return self._second_opinion(columns, scores, {})

    def warm(self) -> None:
        """Predict a few rows of the reference sample, one by one and together, before traffic comes."""
        rows = self.sample(WARM_UP_ROWS)
        for position in range(len(rows)):
            self.predict(columnar.take(rows, [position]))
        self.predict(rows)

    def sample(self, rows: int | None = None) -> Columns:
        """The first rows of the package's reference sample; all of them by default."""
        import pyarrow.parquet

        content = pyarrow.BufferReader(self.package.read(REFERENCE_SAMPLE))
        table = pyarrow.parquet.ParquetFile(content).read(use_threads=False)
        return columnar.from_table(table.slice(0, rows), self.package.schema)

    @cached_property
    def native(self) -> NativeModel:
        """The pipeline, unpickled at first need: a pool that serves a graph lives without scikit-learn."""
        return NativeModel.load(self.package)

    def _compiled(self) -> Scorer:
        row_by_row = self.package.metadata.variant == QUANTIZED
        return CompiledModel(self.package.read(COMPILED_GRAPH), row_by_row)

    def _isolated(self, columns: Columns) -> Scored:
        """The batch raised: score halves of it, until the rows that raise stand alone."""
        scores = np.full((len(columns), self._width), np.nan)
        errors: dict[int, str] = {}
        pending = [list(range(len(columns)))]
        while pending:
            rows = pending.pop()
            try:
                scores[rows] = self._scorer.predict(columnar.take(columns, rows))
            except Exception:
                if len(rows) > 1:
                    middle = len(rows) // 2
                    pending += [rows[:middle], rows[middle:]]
                elif rows:
                    errors[rows[0]] = MODEL_ERROR
        return self._second_opinion(columns, scores, errors)

    def _second_opinion(self, columns: Columns, scores: Floats, errors: dict[int, str]) -> Scored:
        """Ask the native path for each row without a finite score: float32 overflows where float64 does not."""
        for row in np.flatnonzero(~np.isfinite(scores).all(axis=1)).tolist():
            scores[row] = np.nan
            errors.setdefault(row, NOT_FINITE)
            if self.path is InferencePath.NATIVE or errors[row] == MODEL_ERROR:
                continue
            try:
                answer = self.native.predict(columnar.take(columns, [row]))
            except Exception:
                continue
            if np.isfinite(answer).all():
                scores[row] = answer
                del errors[row]
        return Scored(scores, self.path, dict(sorted(errors.items())))
