"""A variant before it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from training.served_model import ServedModel
from training.variants.report import CurvePoint

Decide = Callable[[Any], tuple[float, str]]
"""Threshold of a fitted pipeline, and why it is this one."""


class NotMade(Exception):
    """A model has no such variant; the text says why."""


@dataclass(frozen=True)
class Candidate:
    """A variant that could be served.

    Attributes:
        served: The model and the path that would answer.
        made: How it was made, in a few words.
        curve: Quality by number of trees.
    """

    served: ServedModel
    made: str
    curve: tuple[CurvePoint, ...] = ()
