"""From which probability on a binary model returns its positive label."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from deployments.contracts.wire import Floats

DEFAULT = 0.5


class Decision(BaseModel):
    """A threshold, or what the two kinds of mistakes cost.

    Attributes:
        threshold: The probability itself.
        false_positive: Cost of returning the positive label for a negative row.
        false_negative: Cost of returning the negative label for a positive row.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float | None = Field(default=None, gt=0, lt=1)
    false_positive: float | None = Field(default=None, gt=0)
    false_negative: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        costs = [self.false_positive, self.false_negative]
        if (None in costs) != (costs == [None, None]):
            raise ValueError("false_positive and false_negative go together")
        if self.threshold is not None and costs != [None, None]:
            raise ValueError("give a threshold or the costs that it follows from, not both")
        return self

    @property
    def follows_costs(self) -> bool:
        """Whether the threshold is to be found."""
        return self.false_positive is not None


def cost(truth: Any, returned: Any, decision: Decision) -> float:
    """Mean cost of a row, from whether each row is positive and whether that was returned."""
    assert decision.false_positive is not None
    assert decision.false_negative is not None
    alarms, missed = (~truth & returned).mean(), (truth & ~returned).mean()
    return float(alarms * decision.false_positive + missed * decision.false_negative)


def cheapest(truth: Any, probability: Floats, decision: Decision) -> tuple[float, str]:
    """Return the threshold whose mistakes on these rows cost least, and a sentence that says so.

    It lies halfway between two scores, so that no row of these is on the edge. Between equally cheap thresholds
    the one nearest to what calibrated probabilities would want, FP / (FP + FN), is taken (Elkan 2001).

    Args:
        truth: Whether each row is positive.
        probability: Of the positive class, on rows that the model was not fitted on.
        decision: The costs.
    """
    assert decision.false_positive is not None
    assert decision.false_negative is not None
    distinct = np.unique(probability)
    candidates = np.concatenate([[distinct[0] / 2], (distinct[1:] + distinct[:-1]) / 2, [(distinct[-1] + 1) / 2]])
    positive, negative = np.sort(probability[truth]), np.sort(probability[~truth])
    missed = np.searchsorted(positive, candidates, side="left")
    alarms = len(negative) - np.searchsorted(negative, candidates, side="left")
    costs = (alarms * decision.false_positive + missed * decision.false_negative) / len(probability)
    calibrated = decision.false_positive / (decision.false_positive + decision.false_negative)
    best = candidates[np.isclose(costs, costs.min())]
    threshold = float(best[np.abs(best - calibrated).argmin()])
    usual = cost(truth, probability >= DEFAULT, decision)
    reason = (
        f"cheapest on {len(probability)} validation rows: {costs.min():.4g} a row, {usual:.4g} at {DEFAULT:g}, "
        f"with {decision.false_positive:g} a false positive and {decision.false_negative:g} a false negative"
    )
    return threshold, reason
