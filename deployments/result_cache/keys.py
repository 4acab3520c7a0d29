"""Under which key a row's scores are kept."""

from __future__ import annotations

from array import array
from hashlib import blake2b

import orjson

from deployments.gateway.row_validation import ValidatedRows

KEY_BYTES = 16
SCORES = "scores"


def row_keys(digest: str, rows: ValidatedRows, wanted: str = SCORES) -> list[bytes]:
    """One key for each row: BLAKE2b over package, kind of result and the row as the model sees it.

    Rows that differ only in how a caller wrote them have one key: ``30`` and ``30.0``, ``true`` and its 1, a
    feature left out and the same feature as null. A null and the text "null" have two.

    Args:
        digest: Of the package that would answer. It covers the feature schema, so names need not be hashed.
        rows: Validated for that package's schema.
        wanted: Kind of result; results of different kinds for one row never meet.
    """
    prefix = blake2b(f"{digest}\n{wanted}\n".encode(), digest_size=KEY_BYTES)
    numbers = array("d", rows.numbers).tobytes()
    number_bytes, texts = len(numbers) // rows.count, len(rows.texts) // rows.count
    keys = []
    for row in range(rows.count):
        key = prefix.copy()
        key.update(numbers[row * number_bytes : (row + 1) * number_bytes])
        key.update(orjson.dumps(rows.texts[row * texts : (row + 1) * texts]))
        keys.append(key.digest())
    return keys
