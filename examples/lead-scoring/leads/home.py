"""Leads for home insurance."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from deployments.contracts.transformation import DocumentRefused, Prediction

from .request import VerticalRequest
from .score import Score, score

FIRST_YEAR = 1500


class HomeLead(BaseModel):
    """A home and who lives in it."""

    model_config = ConfigDict(extra="forbid")

    age: int = Field(ge=18, le=99)
    built: int = Field(ge=FIRST_YEAR, description="year")
    area: float = Field(gt=0, le=2000, description="square metres")
    construction: str = Field(max_length=40)
    owner: bool
    claims: int = Field(default=0, ge=0, le=50, description="of the last five years")
    message: str = Field(default="", max_length=500, description="what the lead wrote")


class HomeRequest(VerticalRequest[Literal["home"], HomeLead]):
    """A lead of this vertical."""


def to_features(asked: HomeRequest, at: datetime) -> dict[str, float | str | bool | None]:
    """The model's features; the home's age follows from the date of the request."""
    lead = asked.lead_data
    if lead.built > at.year:
        raise DocumentRefused("lead_data.built", f"must be {at.year} at the latest")
    return {
        "age": lead.age,
        "home_age": at.year - lead.built,
        "area": lead.area,
        "construction": lead.construction.strip().lower(),
        "owner": lead.owner,
        "claims": lead.claims,
        "message": lead.message,
    }


def to_answer(asked: HomeRequest, prediction: Prediction) -> Score:
    """Score and price."""
    return score("home", risk_factor(asked.lead_data), prediction)


def risk_factor(lead: HomeLead) -> float:
    """By size and claims; wood costs more. Between 0.6 and 3."""
    size = (lead.area / 100) ** 0.5
    wood = 1.15 if lead.construction.strip().lower() == "wood" else 1.0
    return round(min(3.0, max(0.6, size * wood * (1 + 0.15 * lead.claims))), 4)
