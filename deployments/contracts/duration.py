"""Lengths of time as people write them: ``90s``, ``10m``, ``1h30m``, ``14d``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PATTERN = r"(?=.)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?"


def parse(text: str) -> timedelta:
    """Read a duration.

    >>> parse("1h30m")
    datetime.timedelta(seconds=5400)

    Raises:
        ValueError: The text is not one.
    """
    found = re.fullmatch(_PATTERN, text)
    if found is None:
        raise ValueError("must be a duration such as 90s, 10m, 1h30m or 14d")
    return timedelta(
        seconds=sum(int(count or 0) * unit for count, unit in zip(found.groups(), _UNITS.values(), strict=True))
    )


def text(duration: timedelta) -> str:
    """Write a duration, to the second.

    >>> text(timedelta(minutes=90))
    '1h30m'
    """
    left, parts = round(duration.total_seconds()), []
    for unit, seconds in _UNITS.items():
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _read(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a duration such as 90s, 10m, 1h30m or 14d")
    return parse(value)


Duration = Annotated[
    timedelta,
    BeforeValidator(_read),
    PlainSerializer(text, return_type=str),
    # Wider than what is read: the API server's RE2 knows no lookahead, and refuses what has a pattern with one.
    WithJsonSchema({"type": "string", "pattern": r"^(\d+[dhms])+$"}),
]
"""Type of a field that holds a length of time; a text in every document."""
