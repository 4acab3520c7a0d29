"""What only people know of a model: the part of its card that a document says."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Card(BaseModel):
    """Words for the model card (Mitchell et al. 2019); what is empty is told as not stated.

    Attributes:
        owner: Who answers for the model.
        intended_use: What it is for, and for whom.
        out_of_scope: What it must not be used for.
        limitations: Where it is weak.
        ethics: Whom it may harm, and what was done about it.
        data: Where the rows come from and how they were collected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    owner: str = ""
    intended_use: str = ""
    out_of_scope: str = ""
    limitations: str = ""
    ethics: str = ""
    data: str = ""
