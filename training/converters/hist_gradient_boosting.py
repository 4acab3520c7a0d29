"""scikit-learn's histogram gradient boosting: skl2onnx 1.20 writes flags as booleans, which protobuf refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx.common._registration import get_converter


class _PlainAttributes:
    """A container that takes nodes with booleans among whole numbers."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, kind: str, inputs: Any, outputs: Any, **attributes: Any) -> Any:
        plain = {name: _plain(value) for name, value in attributes.items()}
        return self._container.add_node(kind, inputs, outputs, **plain)


def convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """As skl2onnx has it, with flags as numbers."""
    get_converter("SklearnRandomForestClassifier")(scope, operator, _PlainAttributes(container))


def convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    """As skl2onnx has it, with flags as numbers."""
    get_converter("SklearnRandomForestRegressor")(scope, operator, _PlainAttributes(container))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [int(item) if isinstance(item, (bool, np.bool_)) else item for item in value]
    return value
