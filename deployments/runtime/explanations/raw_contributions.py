"""A pipeline's own contributions, told in terms of the raw features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from deployments.contracts.explanations import ExplanationMethod
from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.package import Task
from deployments.contracts.wire import Columns, Floats
from deployments.runtime.explanations import column_owners, own_contributions
from deployments.runtime.explanations.own_contributions import OwnMethod
from deployments.runtime.native import NativeModel


@dataclass(frozen=True, slots=True)
class RawContributions:
    """Sums what a pipeline's last step says of its columns into the raw features that they were made from.

    Imputation, scaling, missing indicators and one-hot encoding lie between the two, and so are included.
    """

    name: ExplanationMethod
    _method: OwnMethod
    _native: NativeModel
    _task: Task
    _owners: Floats

    @classmethod
    def of(
        cls, native: NativeModel, sample: Columns, schema: FeatureSchema, task: Task
    ) -> RawContributions | None:
        """Return the way of a pipeline, or None if its last step has none or mixes features before it.

        Args:
            native: The pipeline.
            sample: Reference rows.
            schema: The raw features.
            task: Classification or regression.

        Raises:
            Exception: What the pipeline raises on trial values.
        """
        method = own_contributions.of(_last_step(native), _transformed(native, sample))
        if method is None:
            return None
        if _transformer(native) is None:
            owners: Floats | None = np.eye(len(schema.features))
        else:
            owners = column_owners.find(
                lambda rows: own_contributions.dense(_transformed(native, rows)), sample, schema
            )
        return cls(method.name, method, native, task, owners) if owners is not None else None

    def explain(self, columns: Columns) -> tuple[Floats, Floats]:
        """Return (n, m) base values and (n, m, features) contributions to the margins.

        Raises:
            Exception: What the pipeline raises.
        """
        found = self._method.contributions(_transformed(self._native, columns))
        return self._ordered(found.base_values), self._ordered(found.contributions @ self._owners)

    def _ordered(self, by_margin: Floats) -> Floats:
        """From the estimator's order of classes to the package's."""
        if self._task is Task.REGRESSION:
            return by_margin
        order = self._native.order
        if self._task is Task.MULTICLASS:
            return by_margin[:, order]
        if by_margin.shape[1] == 1:  # the log-odds of the estimator's second class
            return by_margin if order[1] == 1 else -by_margin
        return by_margin[:, [order[1]]] - by_margin[:, [order[0]]]


def _transformer(native: NativeModel) -> Any | None:
    """Everything before the last step, or None if the model takes the raw columns."""
    steps = getattr(native.estimator, "steps", [])
    return native.estimator[:-1] if len(steps) > 1 else None


def _last_step(native: NativeModel) -> Any:
    return native.estimator[-1] if hasattr(native.estimator, "steps") else native.estimator


def _transformed(native: NativeModel, columns: Columns) -> Any:
    transformer, rows = _transformer(native), native.frame(columns)
    return rows if transformer is None else transformer.transform(rows)
