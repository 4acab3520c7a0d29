"""The answer to a lead, the same for every vertical."""

from __future__ import annotations

import math

from pydantic import BaseModel, Field

from deployments.contracts.transformation import Prediction

from . import prices

ACCEPTED = "accepted"
"""The label that the models return for a lead whose score reaches the threshold of its training document."""


class Score(BaseModel):
    """What a lead is worth."""

    score: float = Field(description="probability that the lead buys, 0 to 1")
    confidence: float = Field(
        description="probability that accepting or declining the lead at the threshold is right, 0 to 1; "
        "calibrated: of the decisions with confidence 0.8, four of five turn out right"
    )
    price: float = Field(description="of a year, in euros: base premium x risk factor x market factors")
    market_factors: dict[str, float] = Field(description="what the moment does to the price, factor by factor")
    model_version: str


def score(vertical: str, risk_factor: float, prediction: Prediction) -> Score:
    """The answer to a lead.

    Args:
        vertical: Names the base premium.
        risk_factor: What the lead's own risk does to the price.
        prediction: Of the vertical's model.
    """
    factors = prices.market_factors(prediction.at)
    price = prices.base_premium(vertical, prediction.at) * risk_factor * math.prod(factors.values())
    assert prediction.probability is not None
    return Score(
        score=round(prediction.probabilities[ACCEPTED], 6),
        confidence=round(prediction.probability, 6),
        price=round(price, 2),
        market_factors=factors,
        model_version=prediction.model_version,
    )
