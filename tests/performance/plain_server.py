"""The yardstick: a model behind FastAPI, written as most people write it.

One pydantic model for the row, one for the answer, a route for one row and one for a list. Two variants, chosen
by the environment: with the compiled package that Raygate serves, or with the scikit-learn pipeline on a data
frame. No split, no metrics, no retries.

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

Row = dict[str, Any]
_TYPES = {FeatureKind.NUMBER: float, FeatureKind.BOOLEAN: bool, FeatureKind.CATEGORY: str, FeatureKind.TEXT: str}
Score = Callable[[list[Row]], list[list[float]]]


class Prediction(BaseModel):
    prediction: str | int | bool
    probability: float


class Answer(Prediction):
    model_id: str
    model_version: str


class Answers(BaseModel):
    model_id: str
    model_version: str
    predictions: list[Prediction]


def build() -> FastAPI:
    """The application of one worker."""
    loaded = package.load(Path(os.environ[PACKAGE_VARIABLE]))
    score = _compiled(loaded) if os.environ[MODEL_VARIABLE] == COMPILED else _pipeline(loaded)
    classes, threshold, version = loaded.metadata.classes, loaded.metadata.threshold, str(loaded.metadata.version)
    row = _row_model(loaded.schema)
    one = create_model("PredictRequest", model_id=(str, ...), features=(row, ...))
    many = create_model("PredictRowsRequest", model_id=(str, ...), features=(list[row], ...))
    app = FastAPI()

    def decide(scores: list[float]) -> dict[str, Any]:
        best = 1 if scores[1] >= threshold else 0
        return {"prediction": classes[best], "probability": scores[best]}

    # async, though they compute: a thread for each request costs more than the compiled model, and with the
    # pipeline it only adds switches, for the interpreter's lock lets one run at a time.
    @app.post("/api/v1/predict")
    async def predict(request: one) -> Answer:  # type: ignore[valid-type]
        (scores,) = score([request.features.model_dump()])
        return Answer(model_id=request.model_id, model_version=version, **decide(scores))

    @app.post("/api/v1/predict/rows")
    async def predict_rows(request: many) -> Answers:  # type: ignore[valid-type]
        scores = score([features.model_dump() for features in request.features])
        predictions = [Prediction(**decide(of_row)) for of_row in scores]
        return Answers(model_id=request.model_id, model_version=version, predictions=predictions)

    return app


def _row_model(schema: FeatureSchema) -> type[BaseModel]:
    fields: dict[str, Any] = {
        feature.name: (_TYPES[feature.kind] | None, None) if feature.nullable else (_TYPES[feature.kind], ...)
        for feature in schema.features
    }
    return create_model("Row", **fields)


def _compiled(loaded: package.ModelPackage) -> Score:
    predictor = Predictor(loaded)
    predictor.warm()
    numeric = [feature.name for feature in loaded.schema.numeric]
    textual = [feature.name for feature in loaded.schema.textual]

    def score(rows: list[Row]) -> list[list[float]]:
        numbers = [[row[name] for name in numeric] for row in rows]
        columns = Columns(
            numeric=np.array([[0.0 if number is None else number for number in row] for row in numbers]),
            valid=np.array([[number is not None for number in row] for row in numbers]),
            textual=tuple([row[name] for row in rows] for name in textual),
        )
        return predictor.predict(columns).scores.tolist()

    return score


def _pipeline(loaded: package.ModelPackage) -> Score:
    import cloudpickle
    import pandas as pd

    estimator = cloudpickle.loads(loaded.read(NATIVE_MODEL))
    dtypes = dict(pd.read_parquet(io.BytesIO(loaded.read(REFERENCE_SAMPLE))).dtypes)
    names = [feature.name for feature in loaded.schema.features]
    dtypes = {name: dtypes[name] for name in names}
    order = score_order(estimator, loaded.metadata.classes)

    def score(rows: list[Row]) -> list[list[float]]:
        values = [{name: math.nan if row[name] is None else row[name] for name in names} for row in rows]
        return estimator.predict_proba(pd.DataFrame(values).astype(dtypes))[:, order].tolist()

    return score
