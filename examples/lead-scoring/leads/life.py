"""Leads for life insurance."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from deployments.contracts.transformation import DocumentRefused, Prediction

from .request import VerticalRequest
from .score import Score, score

OLDEST_AT_END = 85
USUAL_SUM = 150_000


class LifeLead(BaseModel):
    """Who is to be insured, and for how much."""

    model_config = ConfigDict(extra="forbid")

    age: int = Field(ge=18, le=80)
    smoker: bool
    insured_sum: float = Field(gt=0, le=5_000_000, description="euros")
    years: int = Field(ge=1, le=50, description="for which the policy runs")
    dependants: int = Field(default=0, ge=0, le=20)
    occupation: str = Field(max_length=60)
    message: str = Field(default="", max_length=500, description="what the lead wrote")


class LifeRequest(VerticalRequest[Literal["life"], LifeLead]):
    """A lead of this vertical."""


def to_features(asked: LifeRequest, at: datetime) -> dict[str, float | str | bool | None]:
    """The model's features."""
    lead = asked.lead_data
    if lead.age + lead.years > OLDEST_AT_END:
        most = OLDEST_AT_END - lead.age
        raise DocumentRefused("lead_data.years", f"must be at most {most} at the age of {lead.age}")
    return {
        "age": lead.age,
        "smoker": lead.smoker,
        "insured_sum": lead.insured_sum,
        "years": lead.years,
        "dependants": lead.dependants,
        "occupation": lead.occupation.strip().lower(),
        "message": lead.message,
    }


def to_answer(asked: LifeRequest, prediction: Prediction) -> Score:
    """Score and price."""
    return score("life", risk_factor(asked.lead_data), prediction)


def risk_factor(lead: LifeLead) -> float:
    """By sum, age and smoking; between 0.2 and 20."""
    hazard = 1.07 ** (lead.age - 40) * (1.9 if lead.smoker else 1.0)
    return round(min(20.0, max(0.2, lead.insured_sum / USUAL_SUM * hazard)), 4)
