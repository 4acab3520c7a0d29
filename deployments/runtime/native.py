"""The native path: the pickled pipeline itself, on a data frame like the one that it was trained on.

Where its steps are known they are taken on plain arrays, and only if that gives the same scores.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.package import NATIVE_MODEL, REFERENCE_SAMPLE, Task
from deployments.contracts.wire import Columns, Floats
from deployments.runtime import columns as columnar
from deployments.runtime import edge_rows
from deployments.runtime.package import ModelPackage

if TYPE_CHECKING:
    import pandas as pd

    from deployments.runtime.arrays.pipeline import ArrayPipeline

SAME = 1e-9
"""Two ways to the same score may differ by so much, absolutely or in proportion: sums in another order."""


class NativeModel:
    """Scores from an estimator with scikit-learn's interface.

    Args:
        estimator: ``predict_proba`` for a classification, ``predict`` for a regression.
        schema: The features.
        task: Classification or regression.
        classes: Labels in the order of the scores that are wanted.
        dtypes: pandas dtype of each feature in training.
    """

    def __init__(
        self,
        estimator: Any,
        schema: FeatureSchema,
        task: Task,
        classes: Sequence[str | int | bool],
        dtypes: Mapping[str, Any],
    ) -> None:
        self.estimator = estimator
        self.order = score_order(estimator, classes) if task is not Task.REGRESSION else []
        """For each class the column of the estimator's ``predict_proba``; empty for a regression."""
        self._schema = schema
        self._task = task
        self._dtypes = dtypes
        self._arrays: ArrayPipeline | None = None

    @classmethod
    def load(cls, package: ModelPackage) -> NativeModel:
        """Unpickle the estimator of a package; its bytes are those that were verified.

        Raises:
            PackageRejected: The file has changed on disk since.
        """
        import cloudpickle

        estimator = cloudpickle.loads(package.read(NATIVE_MODEL))
        sample = reference_sample(package)
        dtypes = {str(name): dtype for name, dtype in sample.dtypes.items()}
        model = cls(estimator, package.schema, package.metadata.task, package.metadata.classes, dtypes)
        model.hasten(edge_rows.beside(columnar.from_frame(sample, package.schema), package.schema))
        return model

    def hasten(self, rows: Columns) -> bool:
        """Score without data frames from now on, if the scores of these rows stay what they are.

        Args:
            rows: The more unlike each other, the better.

        Returns:
            Whether it does.
        """
        from deployments.runtime.arrays.pipeline import ArrayPipeline

        self._arrays = None
        arrays = ArrayPipeline.of(
            self.estimator, self._schema, self._dtypes, probabilities=self._task is not Task.REGRESSION
        )
        if arrays is None:
            return False
        try:
            wanted, given = self.predict(rows), self._in_order(arrays.predict(rows))
        except Exception:  # somebody else's pipeline may refuse an edge; then it is served as it came
            return False
        if wanted.shape == given.shape and np.allclose(given, wanted, SAME, SAME, equal_nan=True):
            self._arrays = arrays
        return self._arrays is not None

    def predict(self, columns: Columns) -> Floats:
        """Return float64 (n, k) scores in the order of the classes; (n, targets) for a regression.

        Raises:
            Exception: What the estimator raises; then no row has a score.
        """
        if self._arrays is not None:
            return self._in_order(self._arrays.predict(columns))
        rows = self.frame(columns)
        if self._task is Task.REGRESSION:
            return np.asarray(self.estimator.predict(rows), dtype=np.float64).reshape(len(columns), -1)
        return self._in_order(np.asarray(self.estimator.predict_proba(rows), dtype=np.float64))

    def _in_order(self, scores: Floats) -> Floats:
        return scores[:, self.order] if self.order else scores

    def frame(self, columns: Columns) -> pd.DataFrame:
        """Return rows as the estimator takes them."""
        return columnar.to_frame(columns, self._schema, self._dtypes)


def score_order(estimator: Any, classes: Sequence[str | int | bool]) -> list[int]:
    """Return, for each wanted class, the column of the estimator's ``predict_proba`` that holds it.

    An estimator that was trained on encoded labels (0 ... k-1) has them in the order of the classes.
    """
    own = np.asarray(estimator.classes_).tolist()
    if set(own) == set(classes):
        return [own.index(label) for label in classes]
    return list(range(len(classes)))


def reference_sample(package: ModelPackage) -> pd.DataFrame:
    """Return the package's sample of training rows, in training's dtypes."""
    import pandas as pd

    return pd.read_parquet(io.BytesIO(package.read(REFERENCE_SAMPLE)))
