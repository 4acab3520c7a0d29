"""The yardstick: a model behind FastAPI, written as most people write it.

One pydantic model for the row, one for the answer, one route. Two variants, chosen by the environment: with the
compiled package that Raygate serves, or with the scikit-learn pipeline on a data frame of one row. No split, no
metrics, no retries.

``RAYGATE_BENCH_PACKAGE=DIR RAYGATE_BENCH_MODEL=compiled uvicorn --factory plain_server:build`` runs it by hand.
"""

# No `from __future__ import annotations`: FastAPI could not find a class made in build() by its name.
import io
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel, create_model

from deployments.contracts.feature_schema import FeatureKind, FeatureSchema
from deployments.contracts.package import NATIVE_MODEL, REFERENCE_SAMPLE
from deployments.contracts.wire import Columns
from deployments.runtime import package
from deployments.runtime.native import score_order
from deployments.runtime.predictor import Predictor

PACKAGE_VARIABLE = "RAYGATE_BENCH_PACKAGE"
MODEL_VARIABLE = "RAYGATE_BENCH_MODEL"
COMPILED, PIPELINE = "compiled", "pipeline"

_TYPES = {FeatureKind.NUMBER: float, FeatureKind.BOOLEAN: bool, FeatureKind.CATEGORY: str, FeatureKind.TEXT: str}
Score = Callable[[dict[str, Any]], list[float]]


class Answer(BaseModel):
    model_id: str
    model_version: str
    prediction: str | int | bool
    probability: float


def build() -> FastAPI:
    """The application of one worker."""
    loaded = package.load(Path(os.environ[PACKAGE_VARIABLE]))
    score = _compiled(loaded) if os.environ[MODEL_VARIABLE] == COMPILED else _pipeline(loaded)
    classes, threshold, version = loaded.metadata.classes, loaded.metadata.threshold, str(loaded.metadata.version)
    request_model = _request_model(loaded.schema)
    app = FastAPI()

    # async, though it computes: a thread for each request costs more than the compiled model, and with the
    # pipeline it only adds switches, for the interpreter's lock lets one run at a time.
    @app.post("/api/v1/predict")
    async def predict(request: request_model) -> Answer:  # type: ignore[valid-type]
        scores = score(request.features.model_dump())
        best = 1 if scores[1] >= threshold else 0
        return Answer(
            model_id=request.model_id,
            model_version=version,
            prediction=classes[best],
            probability=scores[best],
        )

    return app


def _request_model(schema: FeatureSchema) -> type[BaseModel]:
    fields: dict[str, Any] = {
        feature.name: (_TYPES[feature.kind] | None, None) if feature.nullable else (_TYPES[feature.kind], ...)
        for feature in schema.features
    }
    row = create_model("Row", **fields)
    return create_model("PredictRequest", model_id=(str, ...), features=(row, ...))


def _compiled(loaded: package.ModelPackage) -> Score:
    predictor = Predictor(loaded)
    predictor.warm()
    numeric = [feature.name for feature in loaded.schema.numeric]
    textual = [feature.name for feature in loaded.schema.textual]

    def score(row: dict[str, Any]) -> list[float]:
        numbers = [row[name] for name in numeric]
        columns = Columns(
            numeric=np.array([[0.0 if number is None else number for number in numbers]]),
            valid=np.array([[number is not None for number in numbers]]),
            textual=tuple([row[name]] for name in textual),
        )
        return predictor.predict(columns).scores[0].tolist()

    return score


def _pipeline(loaded: package.ModelPackage) -> Score:
    import cloudpickle
    import pandas as pd

    estimator = cloudpickle.loads(loaded.read(NATIVE_MODEL))
    dtypes = dict(pd.read_parquet(io.BytesIO(loaded.read(REFERENCE_SAMPLE))).dtypes)
    names = [feature.name for feature in loaded.schema.features]
    dtypes = {name: dtypes[name] for name in names}
    order = score_order(estimator, loaded.metadata.classes)

    def score(row: dict[str, Any]) -> list[float]:
        values = {name: math.nan if row[name] is None else row[name] for name in names}
        frame = pd.DataFrame([values]).astype(dtypes)
        return estimator.predict_proba(frame)[0, order].tolist()

    return score
