"""Making a model package: compile, compare, evaluate, write, and move it into the store in one step."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from deployments.contracts.errors import PackagingFailed
from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import (
    COMPILED_GRAPH,
    MANIFEST,
    METADATA,
    REFERENCE_PROFILE,
    REFERENCE_SAMPLE,
    SCHEMA,
    InferencePath,
    Manifest,
    ModelMetadata,
    Parity,
    Task,
)
from deployments.contracts.reference_profile import ReferenceProfile
from deployments.contracts.wire import Columns
from deployments.runtime import columns as columnar
from deployments.runtime import package
from deployments.runtime.compiled import CompiledModel
from deployments.runtime.model_store import ModelStore
from deployments.runtime.native import NativeModel
from deployments.runtime.package import ModelPackage
from deployments.runtime.predictor import Scorer
from training import compilation, edge_rows, evaluation, parity, reference_profile
from training.trained_from import TRAINED_FROM

SAMPLE_ROWS = 500
LIBRARIES = (
    "scikit-learn",
    "lightgbm",
    "xgboost-cpu",
    "numpy",
    "pandas",
    "cloudpickle",
    "onnxruntime",
    "skl2onnx",
)


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
        parameters: Hyperparameters.
        data_fingerprint: Of the training data, or empty.
        code_version: Git commit of the training code, or empty.
        threshold: Binary only.
        trained_from: What to compare with on the next run; empty if it cannot be trained again.
    """

    identity: ModelVersion
    estimator: Any
    schema: FeatureSchema
    task: Task
    classes: tuple[str | int | bool, ...]
    family: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    data_fingerprint: str = ""
    code_version: str = ""
    threshold: float = 0.5
    trained_from: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ServedModel:
    """A fitted model with the path that will answer for it.

    Attributes:
        model: The fitted model.
        scorer: The path that is served.
        graph: The compiled graph if there is one that passed.
        parity: How the two paths compare.
    """

    model: FittedModel
    scorer: Scorer
    graph: bytes | None
    parity: Parity


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
    rows = columnar.from_frame(held_out, model.schema)
    rows = edge_rows.concatenated([rows, edge_rows.build(rows, model.schema)])
    try:
        native.predict(rows)
    except Exception as error:
        native.predict(columnar.from_frame(held_out, model.schema))  # a model that fails here too cannot be served
        return ServedModel(model, native, None, parity.not_compiled(f"the pipeline fails on edge rows: {error}"))
    return _gated(model, native, rows)


def _gated(model: FittedModel, native: NativeModel, rows: Columns) -> ServedModel:
    try:
        graph = compilation.compile_graph(model.estimator, model.schema, model.task, model.classes)
        compiled = CompiledModel(graph)
    except Exception as error:  # no converter, or a graph that onnxruntime refuses
        return ServedModel(model, native, None, parity.not_compiled(f"not compiled: {error}"))
    outcome = parity.compare(native, compiled, rows, model.task, model.threshold)
    if outcome.reason:
        return ServedModel(model, native, None, outcome)
    return ServedModel(model, compiled, graph, outcome)


def build_package(
    served: ServedModel,
    store: ModelStore,
    sample: pd.DataFrame,
    reference: ReferenceProfile,
    metrics: Mapping[str, float],
) -> ModelPackage:
    """Write a package beside the store and move it in.

    Args:
        served: The model with the path that was chosen.
        store: Where it goes.
        sample: Training rows; the first of them go into the package.
        reference: The drift baseline.
        metrics: Evaluation by the served path.

    Raises:
        PackageRejected: The store holds another package of that version.
    """
    model = served.model
    with store.staging() as scratch:
        staged = scratch / "package"
        rows = sample.head(SAMPLE_ROWS).reset_index(drop=True)
        _save_mlflow(model, staged, rows)
        rows.to_parquet(staged / REFERENCE_SAMPLE, index=False)
        (staged / SCHEMA).write_text(model.schema.model_dump_json(indent=2))
        (staged / METADATA).write_text(_metadata(served, metrics).model_dump_json(indent=2))
        (staged / REFERENCE_PROFILE).write_text(reference.model_dump_json(indent=2))
        (staged / TRAINED_FROM).write_text(canonical(model.trained_from))
        if served.graph is not None:
            (staged / COMPILED_GRAPH).write_bytes(served.graph)
        _write_manifest(staged, model)
        directory = store.add(staged, model.identity.model, model.identity.version)
    return package.load(directory)


def canonical(content: Mapping[str, Any]) -> str:
    """JSON with sorted keys, the same text for the same content."""
    return json.dumps(content, sort_keys=True, indent=2)


def _metadata(served: ServedModel, metrics: Mapping[str, float]) -> ModelMetadata:
    model = served.model
    return ModelMetadata(
        model=model.identity.model,
        version=model.identity.version,
        task=model.task,
        classes=model.classes,
        threshold=model.threshold,
        path=InferencePath.NATIVE if served.graph is None else InferencePath.COMPILED,
        parity=served.parity,
        family=model.family,
        metrics=dict(metrics),
        parameters=dict(model.parameters),
        data_fingerprint=model.data_fingerprint,
        code_version=model.code_version,
        created=datetime.now(UTC),
        libraries=_libraries(),
    )


def _libraries() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def _save_mlflow(model: FittedModel, directory: Path, rows: pd.DataFrame) -> None:
    """Write the MLflow model: pickled, because what is unpickled later is hashed first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.sklearn
        from mlflow.models import infer_signature

        logging.getLogger("mlflow").setLevel(logging.ERROR)  # after the import, which sets it

        example = rows.head(3)
        mlflow.sklearn.save_model(
            model.estimator,
            directory,
            serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_CLOUDPICKLE,
            signature=infer_signature(rows, model.estimator.predict(rows)),
            input_example=example,
            pip_requirements=[f"{name}=={version}" for name, version in _libraries().items()],
        )


def _write_manifest(staged: Path, model: FittedModel) -> None:
    files = {name: hashlib.sha256((staged / name).read_bytes()).hexdigest() for name in package.files_of(staged)}
    manifest = Manifest(
        model=model.identity.model,
        version=model.identity.version,
        schema_fingerprint=model.schema.fingerprint,
        files=files,
    )
    (staged / MANIFEST).write_text(manifest.model_dump_json(indent=2))


def judge(served: ServedModel, features: pd.DataFrame, target: pd.Series[Any]) -> dict[str, float]:
    """Return the metrics of the served path on labelled rows."""
    model = served.model
    scores = served.scorer.predict(columnar.from_frame(features, model.schema))
    return evaluation.evaluate(model.task, model.classes, model.threshold, target, scores)


def describe(served: ServedModel, rows: pd.DataFrame, held_out: pd.DataFrame) -> ReferenceProfile:
    """Return the drift baseline: training rows, and the served path's scores on held-out rows."""
    model = served.model
    scores = served.scorer.predict(columnar.from_frame(held_out, model.schema))
    return reference_profile.build(rows, model.schema, model.task, model.classes, model.threshold, scores)
