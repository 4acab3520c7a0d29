"""The threshold of a fitted pipeline, as its document wants it."""

from __future__ import annotations

from typing import Any

from training import decision, evaluation, fitting
from training.decision import Decision
from training.fitting import Subject


def choose(said: Decision, subject: Subject, estimator: Any) -> tuple[float, str]:
    """Return the probability from which the positive label is returned, and why it is this one.

    Args:
        said: What the document says; anything but the default is for two labels.
        subject: Its validation rows tell what mistakes cost.
        estimator: The fitted pipeline.
    """
    if said.threshold is not None:
        return said.threshold, "given"
    if not said.follows_costs:
        return decision.DEFAULT, ""
    held_out = subject.data.validation
    truth = evaluation.positions(held_out.target, subject.data.classes) == 1
    return decision.cheapest(truth, fitting.scores(subject, estimator, held_out)[:, 1], said)
