"""The native path: the pickled pipeline itself, on a data frame like the one that it was trained on."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.package import NATIVE_MODEL, REFERENCE_SAMPLE, Task
from deployments.contracts.wire import Columns, Floats
from deployments.runtime import columns as columnar
from deployments.runtime.package import ModelPackage

if TYPE_CHECKING:
    import pandas as pd


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
        self._estimator = estimator
        self._schema = schema
        self._task = task
        self._order = score_order(estimator, classes) if task is not Task.REGRESSION else []
        self._dtypes = dtypes

    @classmethod
    def load(cls, package: ModelPackage) -> NativeModel:
        """Unpickle the estimator of a package; its bytes are those that were verified.

        Raises:
            PackageRejected: The file has changed on disk since.
        """
        import cloudpickle

        estimator = cloudpickle.loads(package.read(NATIVE_MODEL))
        dtypes = {str(name): dtype for name, dtype in reference_sample(package).dtypes.items()}
        return cls(estimator, package.schema, package.metadata.task, package.metadata.classes, dtypes)

    def predict(self, columns: Columns) -> Floats:
        """Return float64 (n, k) scores in the order of the classes; (n, 1) for a regression.

        Raises:
            Exception: What the estimator raises; then no row has a score.
        """
        frame = columnar.to_frame(columns, self._schema, self._dtypes)
        if self._task is Task.REGRESSION:
            return np.asarray(self._estimator.predict(frame), dtype=np.float64).reshape(len(columns), -1)
        scores = np.asarray(self._estimator.predict_proba(frame), dtype=np.float64)
        return scores[:, self._order]


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
