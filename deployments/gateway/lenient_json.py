"""JSON as common encoders write it: with NaN and Infinity, which the standard does not have."""

from __future__ import annotations

import json
from typing import Any


def loads(text: bytes) -> Any:
    """The value.

    Python's own reader takes half of a surrogate pair for a character. Nothing can write it again: neither the
    answer, nor the log, nor the key of a cached result.

    Raises:
        ValueError: It is not JSON, or has a text that is not Unicode.
        RecursionError: It is nested too deeply.
    """
    value = json.loads(text)
    json.dumps(value, ensure_ascii=False).encode()
    return value
