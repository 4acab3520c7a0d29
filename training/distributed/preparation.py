"""From the rows of a source to what workers learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from deployments.contracts.feature_schema import FeatureSchema
from deployments.runtime import columns as columnar
from training.config import TrainingConfig
from training.data import Part
from training.distributed import boosting, cross_fitted, prepared_rows, stream
from training.distributed.portions import TRAIN, Hashes, Portions, hashes
from training.distributed.shard import ROWS, TARGET
from training.fitting import Subject


@dataclass(frozen=True)
class Preparation:
    """From a lot of a source's rows to numbers; it goes to every task that reads.

    Attributes:
        config: The document.
        schema: Raw features.
        dtypes: What the steps were fitted on.
        labels: All labels in order; None for values.
        steps: The fitted pipeline without its estimator.
        apart: The same for the rows of each fold, where an encoder must not have seen the targets of the rows that
            it encodes; empty where none looks at targets.
        precision: Of the numbers.
        columns: How many numbers a row becomes.
    """

    config: TrainingConfig
    schema: FeatureSchema
    dtypes: Mapping[str, Any]
    labels: Any
    steps: Pipeline
    apart: tuple[Pipeline, ...]
    precision: str
    columns: int

    def __call__(self, table: Any) -> dict[str, Any]:
        """Return the training rows of a lot, prepared, and their target."""
        rows, _ = prepared_rows.select(stream.to_pandas(table), self.config)
        portions, hashed = Portions(self.config.split), hashes(rows)
        kept = portions.parts(portions.draws(hashed)) == TRAIN
        rows = rows[kept]
        target = rows.pop(self.config.target.column)
        return {ROWS: self._learnt(rows, hashed[kept]), TARGET: self.positions(target)}

    def _learnt(self, rows: Any, hashed: Hashes) -> Any:
        """Return the numbers that the estimator learns from, in the order of the rows."""
        if not self.apart:
            return self._matrix(self.steps, rows)
        fold = cross_fitted.folds(hashed, self.config.split.seed)
        numbers = np.empty((len(rows), self.columns), dtype=self.precision)
        for number, steps in enumerate(self.apart):
            numbers[fold == number] = self._matrix(steps, rows[fold == number])
        return numbers

    def _matrix(self, steps: Pipeline, rows: Any) -> Any:
        if rows.empty:
            return np.empty((0, self.columns), dtype=self.precision)
        typed = columnar.to_frame(columnar.from_frame(rows, self.schema), self.schema, self.dtypes)
        return np.asarray(steps.transform(typed), dtype=self.precision)

    def positions(self, target: Any) -> Any:
        """Return labels by their place among all labels, values as they are."""
        if self.labels is None:
            return target.to_numpy(dtype=np.float64)
        place = {label: position for position, label in enumerate(self.labels.tolist())}
        return target.map(place).to_numpy(dtype=np.float64)

    def examples(self, rows: Part) -> dict[int, Any]:
        """Return a prepared row of each label."""
        if self.labels is None:
            return {}
        first = [int((rows.target == label).to_numpy().argmax()) for label in self.labels.tolist()]
        return dict(enumerate(self._matrix(self.steps, rows.features.iloc[first])))


def prepare(config: TrainingConfig, subject: Subject, steps: Pipeline) -> Preparation:
    """Fit steps on the sample.

    Raises:
        PackagingFailed: The sample is too small for an encoder that looks at the target.
    """
    sample, classes = subject.data.train, subject.data.classes
    fold = None
    if cross_fitted.looks_at_targets(steps):
        rows = sample.features.assign(**{config.target.column: sample.target})
        fold = cross_fitted.folds(hashes(rows), config.split.seed)
        if classes:
            cross_fitted.require_labels(sample, fold)
    steps = steps.fit(sample.features, sample.target)
    return Preparation(
        config=config,
        schema=subject.schema,
        dtypes={str(name): dtype for name, dtype in sample.features.dtypes.items()},
        labels=np.array(sorted(classes)) if classes else None,
        steps=steps,
        apart=() if fold is None else cross_fitted.of_each_fold(steps, sample, fold),
        precision=boosting.precision(subject.family),
        columns=steps.transform(sample.features.head(1)).shape[1],
    )
