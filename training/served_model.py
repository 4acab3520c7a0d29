"""A fitted model, and which of its two paths answers for it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from deployments.contracts.errors import PackagingFailed
from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import InferencePath, Parity, RiskTier, Task
from deployments.contracts.reference_profile import ReferenceProfile
from deployments.contracts.wire import Columns
from deployments.runtime import columns as columnar
from deployments.runtime import edge_rows
from deployments.runtime.compiled import CompiledModel
from deployments.runtime.native import NativeModel
from deployments.runtime.predictor import Scorer
from training import compilation, evaluation_report, parity, reference_profile
from training.custom_metric import Metric
from training.evaluation_report import EvaluationReport
from training.package_trials import Trial


@dataclass(frozen=True)
class FittedModel:
    """A fitted estimator and what has to be known to serve it.

    Attributes:
        identity: Its name and number.
        estimator: scikit-learn's interface; takes raw rows as a data frame.
        schema: The features.
        task: How its scores are read.
        classes: Labels; the second of two is the positive one.
        family: For the metadata.
        targets: Names of the quantities, if it predicts several.
        parameters: Hyperparameters.
        data_fingerprint: Of the training data, or empty.
        data_version: Version of the source that was read, or empty.
        code_version: Git commit of the training code, or empty.
        threshold: Binary only.
        threshold_reason: Why it is this one.
        trials: Parameter sets that were tried on the way to it.
        risk_tier: For the metadata.
        trained_from: What to compare with on the next run; empty if it cannot be trained again.
        code: Modules of the endpoint's transformers, by path.
    """

    identity: ModelVersion
    estimator: Any
    schema: FeatureSchema
    task: Task
    classes: tuple[str | int | bool, ...]
    family: str
    targets: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    data_fingerprint: str = ""
    data_version: str = ""
    code_version: str = ""
    threshold: float = 0.5
    threshold_reason: str = ""
    trained_from: Mapping[str, Any] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()
    risk_tier: RiskTier | None = None
    code: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Scores a row."""
        return len(self.classes) or len(self.targets) or 1


@dataclass(frozen=True)
class ServedModel:
    """A fitted model with the path that will answer for it.

    Attributes:
        model: The fitted model.
        scorer: The path that is served.
        graph: The compiled graph if there is one that passed.
        parity: How the two paths compare.
        variant: What was done to the trained model to make it smaller; empty for nothing.
    """

    model: FittedModel
    scorer: Scorer
    graph: bytes | None
    parity: Parity
    variant: str = ""

    @property
    def path(self) -> InferencePath:
        """What the scorer is."""
        return InferencePath.NATIVE if self.graph is None else InferencePath.COMPILED


def choose_path(model: FittedModel, sample: pd.DataFrame, held_out: pd.DataFrame) -> ServedModel:
    """Compile a model and keep the graph if it agrees with it on held-out rows and at the edges.

    Args:
        model: The fitted model.
        sample: Training rows, whose dtypes the native path rebuilds.
        held_out: Rows to compare on.

    Raises:
        PackagingFailed: The model has no probabilities, or cannot score the rows it was given.
    """
    if model.task is not Task.REGRESSION and not hasattr(model.estimator, "predict_proba"):
        raise PackagingFailed(
            str(model.identity),
            f"{type(model.estimator).__name__} has no predict_proba, and a distance from the decision boundary is "
            "no probability; wrap the estimator in sklearn.calibration.CalibratedClassifierCV",
        )
    dtypes = {str(name): dtype for name, dtype in sample.dtypes.items()}
    native = NativeModel(model.estimator, model.schema, model.task, model.classes, dtypes)
    rows = edge_rows.beside(columnar.from_frame(held_out, model.schema), model.schema)
    try:
        scores = native.predict(rows)
    except Exception as error:
        _check_serves(native, columnar.from_frame(held_out, model.schema), model)
        reason = f"the pipeline itself fails on edge rows, which a graph would hide: {error}"
        return ServedModel(model, native, None, parity.not_compiled(reason))
    if scores.shape[1] != model.width:
        raise PackagingFailed(
            str(model.identity), f"it gives {scores.shape[1]} scores a row, and {model.width} can be told"
        )
    return _gated(model, native, rows)


def _check_serves(native: NativeModel, rows: Columns, model: FittedModel) -> None:
    try:
        native.predict(rows)
    except Exception as error:
        raise PackagingFailed(
            str(model.identity), f"the model fails on rows of its own sample: {error}"
        ) from error


def _gated(model: FittedModel, native: NativeModel, rows: Columns) -> ServedModel:
    try:
        graph = compilation.compile_graph(model.estimator, model.schema, model.task, model.classes, model.width)
        compiled = CompiledModel(graph)
    except Exception as error:  # no converter, or a graph that onnxruntime refuses
        native.hasten(rows)
        return ServedModel(model, native, None, parity.not_compiled(f"no graph: {error}"))
    outcome = parity.compare(native, compiled, rows, model.task, model.threshold)
    if outcome.reason:
        native.hasten(rows)
        return ServedModel(model, native, None, outcome)
    return ServedModel(model, compiled, graph, outcome)


def judge(
    served: ServedModel,
    features: pd.DataFrame,
    target: pd.Series[Any],
    more: Mapping[str, Metric] | None = None,
) -> EvaluationReport:
    """Judge the served path on labelled rows.

    Args:
        served: The model with the path that was chosen.
        features: Rows that it was not fitted on.
        target: Their labels or values.
        more: Further metrics by name.
    """
    model = served.model
    scores = served.scorer.predict(columnar.from_frame(features, model.schema))
    return evaluation_report.build(
        model.task,
        model.classes,
        model.threshold,
        target,
        scores,
        threshold_reason=model.threshold_reason,
        more=more,
    )


def one_row_milliseconds(served: ServedModel, features: pd.DataFrame, repeats: int = 20) -> float:
    """Return the median time that the served path takes for one row."""
    row = columnar.take(columnar.from_frame(features.head(1), served.model.schema), [0])
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        served.scorer.predict(row)
        times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1000


def describe(served: ServedModel, rows: pd.DataFrame, held_out: pd.DataFrame) -> ReferenceProfile:
    """Return the drift baseline: training rows, and the served path's scores on held-out rows."""
    model = served.model
    scores = served.scorer.predict(columnar.from_frame(held_out, model.schema))
    return reference_profile.build(rows, model.schema, model.task, model.classes, model.threshold, scores)
