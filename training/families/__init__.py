"""Kinds of models that can be trained, one a file; a document names them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

from pydantic import BeforeValidator

from deployments.contracts.package import Task
from deployments.contracts.wire import Floats

_MODULES = {
    "lightgbm": "training.families.lightgbm",
    "linear_regression": "training.families.linear_regression",
    "logistic_regression": "training.families.logistic_regression",
    "neural_network": "training.families.neural_network",
    "random_forest": "training.families.random_forest",
    "xgboost": "training.families.xgboost",
}


class Family(Protocol):
    """What a family's module has.

    Attributes:
        SCALES: The model wants numbers of unit variance.
        TAKES_NULLS: Nulls among numbers may stay; otherwise they become the median.
        SEVERAL_TARGETS: One fitted model answers for several quantities; otherwise each gets one of its own.
        INTERPRETABILITY: How well a person can follow an answer: ``high`` (a coefficient a feature), ``medium``,
            ``low`` (hundreds of trees).
    """

    SCALES: bool
    TAKES_NULLS: bool
    SEVERAL_TARGETS: bool
    INTERPRETABILITY: Literal["high", "medium", "low"]

    def estimator(self, task: Task, parameters: dict[str, Any], seed: int) -> Any:
        """Return an unfitted estimator, deterministic for a seed."""
        ...


OnRound = Callable[[int, Callable[[Any], Floats]], None]
"""Told after each boosting round: how many there are, and what scores prepared rows with them."""


@runtime_checkable
class WatchedFamily(Family, Protocol):
    """A family that grows round by round and can be stopped after any."""

    def fit_watched(self, estimator: Any, rows: Any, target: Any, on_round: OnRound) -> None:
        """Fit an estimator on prepared rows; an exception of ``on_round`` ends it."""
        ...


@runtime_checkable
class PrunableFamily(Family, Protocol):
    """A family whose first trees are a model, too."""

    def trees(self, estimator: Any) -> int:
        """How many trees (of boosting: rounds) a fitted estimator has."""
        ...

    def pruned(self, estimator: Any, trees: int) -> Any:
        """Return a fitted estimator that has the first trees of another one, which stays as it is."""
        ...


def names() -> tuple[str, ...]:
    """Families that a document may name."""
    return tuple(_MODULES)


def family(name: str) -> Family:
    """Return a family's module; its libraries are imported now, not before."""
    module: Family = importlib.import_module(_MODULES[name])
    return module


def _known(name: object) -> object:
    if name not in names():
        raise ValueError(f"{name!r} is not a model family; known: {', '.join(names())}")
    return name


FamilyName = Annotated[str, BeforeValidator(_known)]
"""A family that a document names."""
