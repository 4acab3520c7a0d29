"""Networks in a graph: a ``Gemm`` a layer, in the single precision that they are fitted in."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

OPSET = 19


def convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Probabilities by softmax, and the label that has the largest."""
    network = operator.raw_operator
    label, probabilities = (output.full_name for output in operator.outputs)
    margins = _layers(scope, operator, container)
    container.add_node("Softmax", [margins], [probabilities], op_version=13, axis=1)
    best, classes = (scope.get_unique_variable_name(name) for name in ("best", "classes"))
    container.add_node("ArgMax", [probabilities], [best], op_version=13, axis=1, keepdims=0)
    if network.classes_.dtype.kind in "iub":
        container.add_initializer(
            classes, TensorProto.INT64, [len(network.classes_)], network.classes_.astype(np.int64).tolist()
        )
    else:
        texts = [str(name).encode() for name in network.classes_]
        container.add_initializer(classes, TensorProto.STRING, [len(texts)], texts)
    container.add_node("Gather", [classes, best], [label], op_version=13)


def convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    """The values of the last layer."""
    values = _layers(scope, operator, container)
    container.add_node("Identity", [values], [operator.outputs[0].full_name], op_version=OPSET)


def _layers(scope: Any, operator: Any, container: Any) -> str:
    """Add every layer and return the name of the last one's values."""
    values: str = scope.get_unique_variable_name("rows")
    container.add_node("Cast", [operator.inputs[0].full_name], [values], op_version=OPSET, to=TensorProto.FLOAT)
    layers = operator.raw_operator.weights_
    for position, (weights, biases) in enumerate(layers):
        names = [scope.get_unique_variable_name(name) for name in ("weights", "biases", "layer")]
        container.add_initializer(names[0], TensorProto.FLOAT, list(weights.shape), weights.ravel().tolist())
        container.add_initializer(names[1], TensorProto.FLOAT, list(biases.shape), biases.tolist())
        container.add_node("Gemm", [values, *names[:2]], [names[2]], op_version=13)
        values = names[2]
        if position < len(layers) - 1:
            active: str = scope.get_unique_variable_name("active")
            container.add_node("Relu", [values], [active], op_version=14)
            values = active
    return values
