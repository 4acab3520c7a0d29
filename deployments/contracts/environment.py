"""Another environment (staging, production), as its neighbours know it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from deployments.contracts.secret_reference import SecretReference


class Environment(BaseModel):
    """Where another environment's controller answers.

    Attributes:
        control_url: Base URL of its admin API.
        key: Where a key is that may change traffic there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    control_url: str = Field(pattern=r"^https?://")
    key: SecretReference
