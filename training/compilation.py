"""Compiling a fitted pipeline to one ONNX graph."""

from __future__ import annotations

import logging
import pickle
import re
import warnings
from collections.abc import Sequence
from typing import Any

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.package import Task
from deployments.runtime.compiled import NUMERIC_INPUT, TEXTUAL_INPUT
from deployments.runtime.native import score_order
from training.converters import blocks, registration

OPSET = {"": 19, "ai.onnx.ml": 3}
"""19 is the first in which Equal compares texts; the tree converters write the third edition of ai.onnx.ml."""


class NotCompilable(Exception):
    """A pipeline has no graph; the text says why."""


def compile_graph(
    estimator: Any, schema: FeatureSchema, task: Task, classes: Sequence[str | int | bool], width: int = 1
) -> bytes:
    """Return the serialised graph of a fitted estimator.

    Args:
        estimator: scikit-learn's interface.
        schema: The features.
        task: Of the model.
        classes: Labels in the order of the scores that are wanted.
        width: Values a row of a regression.

    Raises:
        NotCompilable: A step has no converter, or takes its columns in a way that a graph cannot.
    """
    from skl2onnx import convert_sklearn

    registration.register()
    estimator = _ready(estimator)
    options = {} if task is Task.REGRESSION else {id(estimator): {"zipmap": False}}
    logging.getLogger("skl2onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = convert_sklearn(
                estimator, initial_types=_inputs(estimator, schema), options=options, target_opset=OPSET
            )
            order = list(range(width)) if task is Task.REGRESSION else score_order(estimator, classes)
            reshaped: bytes = blocks.reshape(
                graph, schema, order, probabilities=task is not Task.REGRESSION
            ).SerializeToString()
    except NotCompilable:
        raise
    except Exception as error:  # converters raise whatever their author liked
        raise NotCompilable(_reason(error)) from error
    return reshaped


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if unknown := re.search(r"for type '?<class '[\w.]*?(\w+)'>", text):
        return f"{unknown[1]} has no converter"
    return f"{type(error).__name__}: {text[:200]}"


def _inputs(estimator: Any, schema: FeatureSchema) -> list[tuple[str, Any]]:
    """One input a column where columns are chosen by name, else one for all."""
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.compose import ColumnTransformer

    if isinstance(_first_step(estimator), ColumnTransformer):
        kinds = {True: FloatTensorType, False: StringTensorType}
        return [(feature.name, kinds[feature.kind.is_numeric]([None, 1])) for feature in schema.features]
    if schema.numeric and schema.textual:
        raise NotCompilable("numbers and texts go into one step that is not a ColumnTransformer")
    if schema.numeric:
        return [(NUMERIC_INPUT, FloatTensorType([None, len(schema.numeric)]))]
    return [(TEXTUAL_INPUT, StringTensorType([None, len(schema.textual)]))]


def _first_step(estimator: Any) -> Any:
    from sklearn.pipeline import Pipeline

    return _first_step(estimator.steps[0][1]) if isinstance(estimator, Pipeline) else estimator


def _ready(estimator: Any) -> Any:
    """A copy whose XGBoost model has no feature names: its converter knows f0, f1, ... only."""
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.pipeline import Pipeline
    from xgboost import XGBModel

    def last_models(whole: Any) -> list[Any]:
        last = whole.steps[-1][1] if isinstance(whole, Pipeline) else whole
        models = last.estimators_ if isinstance(last, MultiOutputRegressor) else [last]
        return [model for model in models if isinstance(model, XGBModel)]

    if not last_models(estimator):
        return estimator
    copied = pickle.loads(pickle.dumps(estimator))
    for model in last_models(copied):
        model.get_booster().feature_names = None
    return copied
