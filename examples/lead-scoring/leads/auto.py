"""Leads for car insurance."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from deployments.contracts.transformation import DocumentRefused, Prediction

from .request import VerticalRequest
from .score import Score, score

LICENCE_AGE = 17
USUAL_MILEAGE = 12_000


class AutoLead(BaseModel):
    """A driver and a car."""

    model_config = ConfigDict(extra="forbid")

    age: int = Field(ge=17, le=99)
    driving_years: int | None = Field(
        default=None, ge=0, description="left out: since the youngest age for a licence"
    )
    vehicle_age: int = Field(ge=0, le=60, description="years")
    annual_mileage: int | None = Field(
        default=None, ge=0, le=200_000, description="kilometres; left out: the usual"
    )
    make: str = Field(max_length=40)
    occupation: str = Field(max_length=60)
    message: str = Field(default="", max_length=500, description="what the lead wrote")


class AutoRequest(VerticalRequest[Literal["auto"], AutoLead]):
    """A lead of this vertical."""


def to_features(asked: AutoRequest, at: datetime) -> dict[str, float | str | None]:
    """The model's features: what is left out has its default, and names are written in one way."""
    lead = asked.lead_data
    possible = lead.age - LICENCE_AGE
    if lead.driving_years is not None and lead.driving_years > possible:
        raise DocumentRefused("lead_data.driving_years", f"must be at most {possible} at the age of {lead.age}")
    mileage = USUAL_MILEAGE if lead.annual_mileage is None else lead.annual_mileage
    return {
        "age": lead.age,
        "driving_years": possible if lead.driving_years is None else lead.driving_years,
        "vehicle_age": lead.vehicle_age,
        "annual_mileage": mileage,
        "make": lead.make.strip().lower(),
        "occupation": lead.occupation.strip().lower(),
        "message": lead.message,
    }


def to_answer(asked: AutoRequest, prediction: Prediction) -> Score:
    """Score and price."""
    return score("auto", risk_factor(asked.lead_data), prediction)


def risk_factor(lead: AutoLead) -> float:
    """Young drivers and long ways cost more, old cars less; between 0.7 and 2."""
    young = 0.5 if lead.age < 25 else 0.1 if lead.age > 75 else 0.0
    mileage = USUAL_MILEAGE if lead.annual_mileage is None else lead.annual_mileage
    ways = 0.2 * (mileage / USUAL_MILEAGE - 1)
    return round(min(2.0, max(0.7, 1.0 + young + ways - 0.01 * min(lead.vehicle_age, 15))), 4)
