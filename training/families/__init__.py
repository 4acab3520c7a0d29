"""Kinds of models that can be trained, one a file; a document names them."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from deployments.contracts.package import Task

_MODULES = {
    "lightgbm": "training.families.lightgbm",
    "logistic_regression": "training.families.logistic_regression",
}


class Family(Protocol):
    """What a family's module has.

    Attributes:
        SCALES: The model wants numbers that are imputed and scaled; otherwise it takes them as they are.
    """

    SCALES: bool

    def estimator(self, task: Task, parameters: dict[str, Any], seed: int) -> Any:
        """Return an unfitted estimator, deterministic for a seed."""
        ...


def names() -> tuple[str, ...]:
    """Families that a document may name."""
    return tuple(_MODULES)


def family(name: str) -> Family:
    """Return a family's module; its libraries are imported now, not before."""
    module: Family = importlib.import_module(_MODULES[name])
    return module
