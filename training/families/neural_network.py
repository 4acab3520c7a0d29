"""Feed-forward network: fitted with PyTorch (``raygate[torch]``), compiled and served without it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from deployments.contracts.errors import PackagingFailed
from deployments.contracts.package import Task
from deployments.runtime.neural_network import NeuralNetworkClassifier, NeuralNetworkRegressor

SCALES = True
TAKES_NULLS = False
SEVERAL_TARGETS = True
INTERPRETABILITY = "low"


def estimator(
    task: Task, parameters: dict[str, Any], seed: int
) -> NeuralNetworkClassifier | NeuralNetworkRegressor:
    """Return an unfitted classifier or regressor.

    Raises:
        PackagingFailed: PyTorch is not installed.
    """
    if find_spec("torch") is None:
        raise PackagingFailed(
            "neural_network", "it is fitted with PyTorch, which is not here; install raygate[torch]"
        )
    kind = NeuralNetworkRegressor if task is Task.REGRESSION else NeuralNetworkClassifier
    return kind(**{"random_state": seed, **parameters})
