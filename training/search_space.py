"""Ranges of hyperparameters as a document writes them: ``[0.001, 0.1, log]``, ``[3, 10, int]``."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

Value = str | int | float | bool | None


class Range(BaseModel):
    """A range of numbers, both ends included, or a choice of values.

    Attributes:
        low: Smallest value.
        high: Largest value.
        integer: Whole numbers only.
        log: Sampled evenly in the logarithm.
        choice: The values, instead of a range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float = 0.0
    high: float = 0.0
    integer: bool = False
    log: bool = False
    choice: tuple[Value, ...] = ()

    def grid(self) -> tuple[Value, ...]:
        """Every value of a choice or a range of integers.

        Raises:
            ValueError: A range of reals has no end of values.
        """
        if self.choice:
            return self.choice
        if not self.integer:
            raise ValueError("a grid needs whole numbers or a choice, not a range of reals")
        return tuple(range(int(self.low), int(self.high) + 1))


_EXPECTED = "[low, high], [low, high, log], [low, high, int] or {choice: [...]}"


def _read(written: Any) -> Any:
    if isinstance(written, Range):
        return written
    if isinstance(written, dict) and isinstance(written.get("choice"), list) and written["choice"]:
        return {"choice": tuple(written["choice"])} if set(written) == {"choice"} else written
    if not isinstance(written, list) or not 2 <= len(written) <= 4:
        raise ValueError(f"{written!r} is not a range; write {_EXPECTED}")
    low, high, *flags = written
    numbers = all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in (low, high))
    if not numbers or not low < high or set(flags) - {"log", "int"}:
        raise ValueError(f"{written!r} is not a range; write {_EXPECTED} with low < high")
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{written!r}: both ends must be finite")
    if "int" in flags and not (float(low).is_integer() and float(high).is_integer()):
        raise ValueError(f"{written!r}: a range of int ends at whole numbers, at both ends")
    if "log" in flags and low <= 0:
        raise ValueError(f"{written!r}: a logarithmic range starts above 0")
    return {"low": low, "high": high, "integer": "int" in flags, "log": "log" in flags}


def _write(item: Range) -> dict[str, Any]:
    return item.model_dump(mode="json")


Space = dict[str, Annotated[Range, BeforeValidator(_read), PlainSerializer(_write)]]
"""Range by name of the hyperparameter."""
