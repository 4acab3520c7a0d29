"""What callers send, the same for every vertical but for what a lead is."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

Vertical = TypeVar("Vertical", bound=str)
Lead = TypeVar("Lead", bound=BaseModel)


class VerticalRequest(BaseModel, Generic[Vertical, Lead]):
    """A lead of one vertical."""

    model_config = ConfigDict(extra="forbid")

    vertical: Vertical
    lead_data: Lead
