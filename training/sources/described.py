"""What every source of a document keeps to."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, model_validator

from training import source_address


class Described(BaseModel):
    """A part of a document that says where rows come from; none of its addresses may hold a secret.

    Attributes:
        SECRETS: Where the secret belongs instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    SECRETS: ClassVar[str] = "the environment of the process holds the credentials, such as AWS_ACCESS_KEY_ID"

    @model_validator(mode="before")
    @classmethod
    def _holds_no_secret(cls, said: object) -> object:
        # Of the whole and before any field, because the error of a field shows its value.
        for name, value in said.items() if isinstance(said, dict) else ():
            if found := source_address.secret_in(str(value)):
                raise ValueError(f"{name} must hold no {found}; {cls.SECRETS}")
        return said
