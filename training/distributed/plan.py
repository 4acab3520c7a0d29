"""What a document says about training on many machines."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Distributed(BaseModel):
    """How the rows are shared out; ``distributed: true`` takes every default.

    Attributes:
        workers: Processes that fit one model together, each on its share of the rows.
        cpus: CPUs that each reserves. Less than one, because rows are read by tasks beside them, and while those
            run the workers wait.
        sample: Rows, at most, that one process holds of the training, the validation and the test part each:
            preprocessing and search see these, gates and figures come from these.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    workers: int = Field(default=2, ge=1)
    cpus: float = Field(default=0.5, gt=0)
    sample: int = Field(default=100_000, ge=1000)


def _read(written: Any) -> Any:
    return ({} if written else None) if isinstance(written, bool) else written


Wanted = Annotated[Distributed | None, BeforeValidator(_read)]
"""``true``, ``false``, or the fields of ``Distributed``."""
