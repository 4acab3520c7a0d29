"""Reading models that others have made into an estimator with scikit-learn's interface."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deployments.contracts.errors import PackagingFailed
from deployments.runtime.boosters import LightGBMBooster, LightGBMRegressionBooster

KINDS = "a .pkl or .joblib file, an XGBoost .json or .ubj, a LightGBM .txt, an MLflow directory or URI"

FETCHED_AS = "registered_model_meta"
"""MLflow writes by which name it fetched a model beside it; by alias or by number it is the same model."""


@contextmanager
def at_hand(location: str) -> Iterator[Path]:
    """Give a model's file or directory on this machine; a URI's is what it stands for now, since aliases move.

    Args:
        location: A ``.pkl``/``.joblib`` file, an XGBoost ``.json``/``.ubj``, a LightGBM ``.txt``, the directory of
            an MLflow model, or an MLflow URI (``models:/...``, ``runs:/...``).

    Raises:
        PackagingFailed: There is no such model.
    """
    if ":/" not in location:
        yield Path(location)
        return
    import mlflow.artifacts

    with tempfile.TemporaryDirectory(prefix="raygate-model-") as scratch:
        try:
            there = mlflow.artifacts.download_artifacts(artifact_uri=location, dst_path=scratch)
        except Exception as error:  # a store raises whatever its library likes
            raise PackagingFailed(location, f"cannot be fetched: {error}") from error
        yield Path(there)


def load(file: Path, location: str) -> Any:
    """Return the estimator that a file, or the directory of an MLflow model, holds.

    Unpickling runs what the file says: package only what you trust.

    Args:
        file: As ``at_hand`` gives it.
        location: As the caller knows it.

    Raises:
        PackagingFailed: There is no such model, or it is of another kind.
    """
    try:
        return _adapted(_read(file, location), location)
    except PackagingFailed:
        raise
    except Exception as error:  # a reader raises whatever its library likes
        raise PackagingFailed(location, f"cannot be read as a model: {error}") from error


def content_hash(file: Path) -> str:
    """SHA-256 of a file, or of all files of a directory that are the model."""
    if file.is_file():
        return hashlib.sha256(file.read_bytes()).hexdigest()
    content = hashlib.sha256(b"")
    for inside in sorted(file.rglob("*")):
        if inside.is_file() and inside.name != FETCHED_AS:
            content.update(inside.relative_to(file).as_posix().encode() + b"\0" + inside.read_bytes())
    return content.hexdigest()


def _read(file: Path, location: str) -> Any:
    if (file / "MLmodel").is_file():
        return _from_mlflow(file, location)
    if not file.is_file():
        raise PackagingFailed(location, f"there is no such file; a model is {KINDS}")
    match file.suffix:
        case ".pkl" | ".pickle" | ".joblib":
            import joblib

            return joblib.load(file)
        case ".json" | ".ubj":
            import xgboost

            return xgboost.Booster(model_file=str(file))
        case ".txt":
            import lightgbm

            return lightgbm.Booster(model_file=str(file))
        case _:
            raise PackagingFailed(
                location, f"{file.suffix or 'no suffix'} is not a known kind of model; it is {KINDS}"
            )


def _from_mlflow(directory: Path, location: str) -> Any:
    import mlflow

    flavors = mlflow.models.get_model_info(str(directory)).flavors
    for flavor in ("sklearn", "xgboost", "lightgbm"):
        if flavor in flavors:
            return getattr(mlflow, flavor).load_model(str(directory))
    raise PackagingFailed(
        location, f"its flavours are {', '.join(flavors)}; one of sklearn, xgboost, lightgbm is needed"
    )


def _adapted(model: Any, location: str) -> Any:
    """Give a bare booster scikit-learn's interface."""
    kind = f"{type(model).__module__}.{type(model).__name__}"
    if kind.startswith("xgboost") and kind.endswith(".Booster"):
        return _xgboost_estimator(model)
    if kind.startswith("lightgbm") and kind.endswith(".Booster"):
        objective = str(model.dump_model(num_iteration=1)["objective"]).split()[0]
        return (
            LightGBMBooster(model) if objective in ("binary", "multiclass") else LightGBMRegressionBooster(model)
        )
    if not hasattr(model, "predict"):
        raise PackagingFailed(location, f"holds a {kind}, which has no predict")
    return model


def _xgboost_estimator(booster: Any) -> Any:
    import json

    import xgboost

    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    classifies = objective.startswith(("binary:logistic", "multi:"))
    estimator = xgboost.XGBClassifier() if classifies else xgboost.XGBRegressor()
    estimator.load_model(booster.save_raw("ubj"))
    return estimator
