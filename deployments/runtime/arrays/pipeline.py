"""A pipeline that begins with a ``ColumnTransformer``, from the wire's columns to scores without a data frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.wire import Columns, Floats
from deployments.runtime.arrays import estimators
from deployments.runtime.arrays.step import Step
from deployments.runtime.arrays.transformers import known_step


@dataclass(frozen=True, slots=True)
class _Branch:
    """What happens to some of the columns.

    Attributes:
        textual: Whether they are texts.
        positions: In the wire's numeric block, or among its textual columns.
        steps: One after the other.
    """

    textual: bool
    positions: tuple[int, ...]
    steps: tuple[Step, ...]


class ArrayPipeline:
    """Scores rows as a fitted pipeline does.

    Args:
        branches: Of the column transformer.
        steps: Between them and the estimator.
        score: What the estimator does.
    """

    def __init__(self, branches: Sequence[_Branch], steps: Sequence[Step], score: estimators.Score) -> None:
        self._branches, self._steps, self._score = branches, steps, score

    @classmethod
    def of(
        cls, estimator: Any, schema: FeatureSchema, dtypes: Mapping[str, Any], probabilities: bool
    ) -> Self | None:
        """Read a fitted estimator; None if it is no pipeline whose first steps are all known.

        Args:
            estimator: scikit-learn's interface.
            schema: The raw features.
            dtypes: pandas dtype of each feature in training.
            probabilities: Whether these are the scores, or values.
        """
        if type(estimator) is not Pipeline or not _are_plain(dtypes):
            return None
        (_, first), *between = estimator.steps[:-1] or [("", None)]
        if type(first) is not ColumnTransformer or first.sparse_output_ or first.transformer_weights:
            return None
        branches = [
            _branch(transformer, columns, schema)
            for _, transformer, columns in first.transformers_
            if len(columns) and not (isinstance(transformer, str) and transformer == "drop")
        ]
        known = [branch for branch in branches if branch is not None]
        if not known or len(known) < len(branches):
            return None
        steps = [_later_step(step) for _, step in between if step is not None]
        return cls(known, steps, estimators.scorer(estimator.steps[-1][1], probabilities))

    def predict(self, columns: Columns) -> Floats:
        """Return float64 (n, k): probabilities in the order of the estimator's classes, or values.

        Raises:
            Exception: What a step raises; then no row has a score.
        """
        numbers = columns.numeric if columns.valid.all() else np.where(columns.valid, columns.numeric, np.nan)
        blocks = []
        for branch in self._branches:
            if branch.textual:
                texts = [columns.textual[position] for position in branch.positions]
                block: NDArray[Any] = np.array(texts, dtype=object).T
            else:
                block = numbers[:, branch.positions]
            for step in branch.steps:
                block = step(block)
            blocks.append(block)
        rows = np.concatenate(blocks, axis=1, dtype=np.float64)
        for step in self._steps:
            rows = step(rows)
        return self._score(rows)


def _are_plain(dtypes: Mapping[str, Any]) -> bool:
    """Whether a data frame would hold the same numbers and texts: not those of float32, or of fixed categories."""
    return all(
        isinstance(dtype, np.dtype) and (dtype.kind in "iubO" or dtype == np.float64) for dtype in dtypes.values()
    )


def _branch(transformer: Any, columns: Any, schema: FeatureSchema) -> _Branch | None:
    chosen = np.asarray(columns)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iuUO":
        return None
    names = [feature.name for feature in schema.features]
    wanted = [names[column] for column in chosen] if chosen.dtype.kind in "iu" else chosen.tolist()
    for textual, features in ((False, schema.numeric), (True, schema.textual)):
        places = {feature.name: position for position, feature in enumerate(features)}
        if all(name in places for name in wanted):
            steps = _branch_steps(transformer)
            return _Branch(textual, tuple(places[name] for name in wanted), steps) if steps else None
    return None


def _branch_steps(transformer: Any) -> tuple[Step, ...]:
    """The steps of a branch; none if the first, which would take a data frame, is not known."""
    parts = [step for _, step in transformer.steps] if type(transformer) is Pipeline else [transformer]
    first = known_step(parts[0])
    return () if first is None else (first, *(_later_step(part) for part in parts[1:] if part is not None))


def _later_step(transformer: Any) -> Step:
    """What takes an array in the pipeline, too, may do as it always does."""
    known = known_step(transformer)
    if known is not None:
        return known
    step: Step = transformer.transform
    return step
