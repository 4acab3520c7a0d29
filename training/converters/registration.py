"""Telling skl2onnx about every model and transformer that it does not know by itself."""

from __future__ import annotations

from functools import cache
from typing import Any

from deployments.runtime.boosters import LightGBMBooster, LightGBMRegressionBooster
from deployments.runtime.neural_network import NeuralNetworkClassifier, NeuralNetworkRegressor
from deployments.runtime.transformers.clipped import Clipped
from deployments.runtime.transformers.correlation_filter import CorrelationFilter
from deployments.runtime.transformers.formula import Formula
from deployments.runtime.transformers.missing_category import MissingCategory
from training.converters import arithmetic, hist_gradient_boosting, neural_network, null_text

_CLASSIFIER_OPTIONS = {"nocl": [True, False], "zipmap": [True, False, "columns"]}


@cache
def register() -> None:
    """Register all of them; skl2onnx keeps its table for the life of the process."""
    from skl2onnx import update_registered_converter
    from sklearn.impute import SimpleImputer

    update_registered_converter(
        MissingCategory,
        "RaygateMissingCategory",
        null_text.missing_category_shapes,
        null_text.convert_missing_category,
    )
    update_registered_converter(
        SimpleImputer, "SklearnSimpleImputer", null_text.simple_imputer_shapes, null_text.convert_simple_imputer
    )
    _register_transformers(update_registered_converter)
    _register_hist_gradient_boosting(update_registered_converter)
    _register_lightgbm(update_registered_converter)
    _register_xgboost(update_registered_converter)
    _register_neural_network(update_registered_converter)


def _register_transformers(update: Any) -> None:
    from skl2onnx.operator_converters.feature_selection import convert_sklearn_feature_selection
    from skl2onnx.shape_calculators.feature_selection import calculate_sklearn_select

    update(Formula, "RaygateFormula", arithmetic.formula_shapes, arithmetic.convert_formula)
    update(Clipped, "RaygateClipped", arithmetic.clipped_shapes, arithmetic.convert_clipped)
    update(
        CorrelationFilter,
        "RaygateCorrelationFilter",
        calculate_sklearn_select,
        convert_sklearn_feature_selection,
    )


def _register_neural_network(update: Any) -> None:
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    update(
        NeuralNetworkClassifier,
        "RaygateNeuralNetworkClassifier",
        calculate_linear_classifier_output_shapes,
        neural_network.convert_classifier,
        options=_CLASSIFIER_OPTIONS,
    )
    update(
        NeuralNetworkRegressor,
        "RaygateNeuralNetworkRegressor",
        calculate_linear_regressor_output_shapes,
        neural_network.convert_regressor,
    )


def _register_hist_gradient_boosting(update: Any) -> None:
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    update(
        HistGradientBoostingClassifier,
        "RaygateHistGradientBoostingClassifier",
        calculate_linear_classifier_output_shapes,
        hist_gradient_boosting.convert_classifier,
        options=_CLASSIFIER_OPTIONS | {"raw_scores": [True, False]},
    )
    update(
        HistGradientBoostingRegressor,
        "RaygateHistGradientBoostingRegressor",
        calculate_linear_regressor_output_shapes,
        hist_gradient_boosting.convert_regressor,
    )


def _register_lightgbm(update: Any) -> None:
    from lightgbm import LGBMClassifier, LGBMRegressor
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    for classifier in (LGBMClassifier, LightGBMBooster):
        update(
            classifier,
            f"LightGbm{classifier.__name__}",
            calculate_linear_classifier_output_shapes,
            convert_lightgbm,
            options=_CLASSIFIER_OPTIONS,
        )
    for regressor in (LGBMRegressor, LightGBMRegressionBooster):
        update(
            regressor,
            f"LightGbm{regressor.__name__}",
            calculate_linear_regressor_output_shapes,
            convert_lightgbm,
            options={"split": None},
        )


def _register_xgboost(update: Any) -> None:
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )
    from xgboost import XGBClassifier, XGBRegressor

    from deployments.runtime.transformers.labelled_xgboost import LabelledXGBClassifier

    for classifier in (XGBClassifier, LabelledXGBClassifier):
        update(
            classifier,
            f"XGBoost{classifier.__name__}",
            calculate_linear_classifier_output_shapes,
            convert_xgboost,
            options=_CLASSIFIER_OPTIONS,
        )
    update(XGBRegressor, "XGBoostXGBRegressor", calculate_linear_regressor_output_shapes, convert_xgboost)
