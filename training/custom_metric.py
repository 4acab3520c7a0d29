"""Metrics of a document's author: a function by its import path."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator

from deployments.contracts import labels
from deployments.contracts.errors import PackagingFailed
from deployments.contracts.package import Task
from deployments.contracts.wire import Floats
from training.figure import Figure

Metric = Callable[[Any, Any, Floats], float]
"""Takes true labels or values (of several targets n rows of them), returned ones, and the scores (n, k); larger is
better."""

RESAMPLES = 200


def _read(path: str) -> str:
    if path.count(":") != 1:
        raise ValueError(f"{path!r} is no import path; write package.module:function")
    return path


ImportPath = Annotated[str, AfterValidator(_read)]
"""``package.module:function``."""


def load(path: str) -> Metric:
    """Return the function of an import path.

    Raises:
        PackagingFailed: There is no such module or function.
    """
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise PackagingFailed(f"metric {path}", str(error)) from error
    if not callable(found):
        raise PackagingFailed(f"metric {path}", f"is {type(found).__name__}, not a function")
    metric: Metric = found
    return metric


def figure(
    metric: Metric,
    task: Task,
    classes: tuple[str | int | bool, ...],
    threshold: float,
    target: Any,
    scores: Floats,
) -> Figure:
    """Return a metric with its bootstrap interval.

    Raises:
        PackagingFailed: The function raises, or gives no finite number.
    """
    truth = np.asarray(target)
    returned = scores[:, 0] if truth.ndim == 1 else scores
    if task is not Task.REGRESSION:
        returned = np.array(classes, dtype=object)[labels.positions(scores, threshold)]
    random, rows = np.random.default_rng(0), len(scores)
    try:
        value = float(metric(truth, returned, scores))
        draws = [random.integers(0, rows, rows) for _ in range(RESAMPLES)]
        values = [float(metric(truth[draw], returned[draw], scores[draw])) for draw in draws]
    except Exception as error:  # whatever its author's code raises
        raise PackagingFailed(f"metric {metric.__qualname__}", f"{type(error).__name__}: {error}") from error
    if not np.isfinite([value, *values]).all():
        raise PackagingFailed(f"metric {metric.__qualname__}", f"gives {value}, which is no finite number")
    low, high = np.quantile(values, [0.025, 0.975])
    return Figure(value=value, low=float(low), high=float(high))
