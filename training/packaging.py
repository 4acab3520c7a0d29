"""Making a model package: written beside the store, then moved in at once."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import math
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from deployments.contracts.package import (
    CALIBRATION_ERROR,
    CODE,
    COMPILED_GRAPH,
    MANIFEST,
    METADATA,
    REFERENCE_PROFILE,
    REFERENCE_SAMPLE,
    SCHEMA,
    Manifest,
    ModelMetadata,
)
from deployments.contracts.reference_profile import ReferenceProfile
from deployments.runtime import package, signature
from deployments.runtime.model_store import ModelStore
from deployments.runtime.package import ModelPackage
from deployments.runtime.signature import SigningKey
from training import package_trials
from training.evaluation_report import EVALUATION, EvaluationReport
from training.served_model import FittedModel, ServedModel
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


def build_package(
    served: ServedModel,
    store: ModelStore,
    sample: pd.DataFrame,
    reference: ReferenceProfile,
    evaluation: EvaluationReport | None,
    signing_key: SigningKey | None = None,
    documents: Mapping[str, str] | None = None,
) -> ModelPackage:
    """Write a package beside the store and move it in.

    Args:
        served: The model with the path that was chosen.
        store: Where it goes.
        sample: Training rows; the first of them go into the package.
        reference: The drift baseline.
        evaluation: What is known of its quality by the served path; None without labelled rows.
        signing_key: Signs the manifest; None leaves the package unsigned.
        documents: Texts for people by file name.

    Raises:
        PackageRejected: The store holds another package of that version.
    """
    model = served.model
    with store.staging() as scratch:
        staged = scratch / "package"
        rows = sample.head(SAMPLE_ROWS).reset_index(drop=True)
        _save_mlflow(model, staged, rows)
        rows.to_parquet(staged / REFERENCE_SAMPLE, index=False)
        for name, content in _files(served, reference, evaluation, documents or {}).items():
            file = staged / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        _write_manifest(staged, model)
        if signing_key is not None:
            signature.write(staged, signing_key)
        directory = store.add(staged, model.identity.model, model.identity.version)
    return package.load(directory)


def _files(
    served: ServedModel,
    reference: ReferenceProfile,
    evaluation: EvaluationReport | None,
    documents: Mapping[str, str],
) -> dict[str, bytes]:
    """Content by file name, beside MLflow's files and the sample."""
    model = served.model
    texts = {
        SCHEMA: model.schema.model_dump_json(indent=2),
        METADATA: _metadata(served, evaluation).model_dump_json(indent=2),
        REFERENCE_PROFILE: reference.model_dump_json(indent=2),
        TRAINED_FROM: canonical(model.trained_from),
        **documents,
    }
    if evaluation is not None:
        texts[EVALUATION] = evaluation.model_dump_json(indent=2)
    if model.trials:
        texts[package_trials.TRIALS] = package_trials.write(model.trials)
    files = {name: text.encode() for name, text in texts.items()}
    files |= {f"{CODE}/{name}": source for name, source in model.code.items()}
    if served.graph is not None:
        files[COMPILED_GRAPH] = served.graph
    return files


def canonical(content: Mapping[str, Any]) -> str:
    """JSON with sorted keys, the same text for the same content."""
    return json.dumps(content, sort_keys=True, indent=2)


def _metadata(served: ServedModel, evaluation: EvaluationReport | None) -> ModelMetadata:
    model = served.model
    figures = evaluation.values if evaluation else {}
    if evaluation and evaluation.calibration_error is not None:
        figures[CALIBRATION_ERROR] = evaluation.calibration_error
    return ModelMetadata(
        model=model.identity.model,
        version=model.identity.version,
        task=model.task,
        classes=model.classes,
        targets=model.targets,
        threshold=model.threshold,
        path=served.path,
        parity=served.parity,
        variant=served.variant,
        family=model.family,
        metrics={name: value for name, value in figures.items() if math.isfinite(value)},
        parameters=dict(model.parameters),
        data_fingerprint=model.data_fingerprint,
        data_version=model.data_version,
        code_version=model.code_version,
        created=datetime.now(UTC),
        libraries=_libraries(),
        risk_tier=model.risk_tier,
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
