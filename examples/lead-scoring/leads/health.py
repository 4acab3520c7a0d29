"""Leads for health insurance."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from deployments.contracts.transformation import Prediction

from .request import VerticalRequest
from .score import Score, score


class HealthLead(BaseModel):
    """Who is to be insured."""

    model_config = ConfigDict(extra="forbid")

    age: int = Field(ge=0, le=99)
    height: float = Field(gt=40, le=250, description="centimetres")
    weight: float = Field(gt=1, le=400, description="kilograms")
    smoker: bool
    household: int = Field(default=1, ge=1, le=20, description="persons to be insured")
    occupation: str = Field(max_length=60)
    message: str = Field(default="", max_length=500, description="what the lead wrote")


class HealthRequest(VerticalRequest[Literal["health"], HealthLead]):
    """A lead of this vertical."""


def to_features(asked: HealthRequest, at: datetime) -> dict[str, float | str | bool | None]:
    """The model's features; the body mass index is derived, height and weight are not kept."""
    lead = asked.lead_data
    return {
        "age": lead.age,
        "body_mass_index": round(lead.weight / (lead.height / 100) ** 2, 1),
        "smoker": lead.smoker,
        "household": lead.household,
        "occupation": lead.occupation.strip().lower(),
        "message": lead.message,
    }


def to_answer(asked: HealthRequest, prediction: Prediction) -> Score:
    """Score and price."""
    return score("health", risk_factor(asked.lead_data), prediction)


def risk_factor(lead: HealthLead) -> float:
    """By age, smoking and persons; between 0.5 and 8."""
    one = (0.6 + 0.012 * lead.age) * (1.25 if lead.smoker else 1.0)
    return round(min(8.0, max(0.5, one * lead.household**0.8)), 4)
