"""Nulls among texts, in a graph: ``NULL_TEXT`` becomes what the transformer says."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto
from skl2onnx.common.data_types import StringTensorType
from skl2onnx.operator_converters.imputer_op import convert_sklearn_imputer
from skl2onnx.shape_calculators.imputer import calculate_sklearn_imputer_output_shapes

from deployments.runtime.null_text import NULL_TEXT


def missing_category_shapes(operator: Any) -> None:
    """All columns come out as one tensor of strings."""
    width = sum(entry.type.shape[1] for entry in operator.inputs)
    operator.outputs[0].type = StringTensorType([operator.inputs[0].type.shape[0], width])


def convert_missing_category(scope: Any, operator: Any, container: Any) -> None:
    """``MissingCategory``: the same literal in every column."""
    _replace_null(scope, operator, container, [operator.raw_operator.literal])


def simple_imputer_shapes(operator: Any) -> None:
    """As skl2onnx has it for numbers; texts come out as one tensor."""
    if isinstance(operator.inputs[0].type, StringTensorType):
        missing_category_shapes(operator)
    else:
        calculate_sklearn_imputer_output_shapes(operator)


def convert_simple_imputer(scope: Any, operator: Any, container: Any) -> None:
    """``SimpleImputer``: skl2onnx knows it for numbers; on texts it fills NaN, which pandas reads from files.

    Raises:
        NotImplementedError: What is missing in a text is something else than NaN.
    """
    imputer = operator.raw_operator
    if not isinstance(operator.inputs[0].type, StringTensorType):
        convert_sklearn_imputer(scope, operator, container)
        return
    fills = [str(value) for value in imputer.statistics_]
    is_nan = isinstance(imputer.missing_values, float) and np.isnan(imputer.missing_values)
    if not is_nan or imputer.add_indicator:
        raise NotImplementedError(f"SimpleImputer of texts with missing_values={imputer.missing_values!r}")
    _replace_null(scope, operator, container, fills)


def _replace_null(scope: Any, operator: Any, container: Any, fills: list[str]) -> None:
    """Add ``Where(texts == NULL_TEXT, fills, texts)``; the fills are broadcast over the rows."""

    def constant(kind: str, values: list[str]) -> str:
        name: str = scope.get_unique_variable_name(kind)
        encoded = [value.encode() for value in values]
        container.add_initializer(name, TensorProto.STRING, [1, len(values)], encoded)
        return name

    texts = operator.inputs[0].full_name
    if len(operator.inputs) > 1:
        texts = scope.get_unique_variable_name("texts")
        names = [entry.full_name for entry in operator.inputs]
        container.add_node("Concat", names, [texts], op_version=13, axis=1)
    missing = scope.get_unique_variable_name("missing")
    container.add_node("Equal", [texts, constant("null", [NULL_TEXT])], [missing], op_version=19)
    filled = constant("fill", fills)
    container.add_node("Where", [missing, filled, texts], [operator.outputs[0].full_name], op_version=9)
