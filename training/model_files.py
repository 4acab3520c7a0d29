"""Reading models that others have made into an estimator with scikit-learn's interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deployments.contracts.errors import PackagingFailed
from deployments.runtime.boosters import LightGBMBooster, LightGBMRegressionBooster

KINDS = "a .pkl or .joblib file, an XGBoost .json or .ubj, a LightGBM .txt, an MLflow directory or URI"


def load(location: str) -> Any:
    """Return the estimator that a file or an MLflow URI holds.

    Unpickling runs what the file says: package only what you trust.

    Args:
        location: A ``.pkl``/``.joblib`` file, an XGBoost ``.json``/``.ubj``, a LightGBM ``.txt``, the directory of
            an MLflow model, or an MLflow URI (``models:/...``, ``runs:/...``).

    Raises:
        PackagingFailed: There is no such model, or it is of another kind.
    """
    try:
        return _adapted(_read(location), location)
    except PackagingFailed:
        raise
    except Exception as error:  # a reader raises whatever its library likes
        raise PackagingFailed(location, f"cannot be read as a model: {error}") from error


def is_mlflow(location: str) -> bool:
    """Whether a location is an MLflow URI or the directory of an MLflow model."""
    return ":/" in location or (Path(location) / "MLmodel").is_file()


def _read(location: str) -> Any:
    if is_mlflow(location):
        return _from_mlflow(location)
    file = Path(location)
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


def _from_mlflow(location: str) -> Any:
    import mlflow

    flavors = mlflow.models.get_model_info(location).flavors
    for flavor in ("sklearn", "xgboost", "lightgbm"):
        if flavor in flavors:
            return getattr(mlflow, flavor).load_model(location)
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
