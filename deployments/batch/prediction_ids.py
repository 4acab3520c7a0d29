"""Prediction ids of a batch: a unit that is scored again gives its rows the same ids.

UUIDv7 as ``contracts.prediction_id`` has them: milliseconds, here of the job's planning, 58 bits that tell the
rows of the job apart, and the tag of the version. The 58 bits are a keyed permutation of the row's number, so no
two rows of a job share an id.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_BITS = 58
_MASK = np.uint64((1 << _BITS) - 1)
# Odd numbers, which have an inverse modulo a power of two (the finalizer of splitmix64).
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_ROWS_OF_A_UNIT = 32
LENGTH = 36
_HYPHENS = (8, 13, 18, 23)
_DIGITS = [place for place in range(LENGTH) if place not in _HYPHENS]
_OCTET_TEXTS = np.frombuffer(bytes(range(256)).hex().encode(), dtype=np.uint16)
"""The two digits of each octet, as one number that is looked up at once."""


def numbers(unit: int, first_row: int, rows: int) -> NDArray[np.uint64]:
    """Numbers of consecutive rows of a unit, different from those of every other row of the job."""
    begin = (unit << _ROWS_OF_A_UNIT) + first_row
    return np.arange(begin, begin + rows, dtype=np.uint64)


def permuted(row_numbers: NDArray[np.uint64], key: str) -> NDArray[np.uint64]:
    """A permutation of the numbers below 2**58: they look random, and none comes twice.

    Multiplying by an odd number and xoring with the number's own upper half can both be undone.
    """
    seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
    mixed = (row_numbers ^ np.uint64(seed)) & _MASK
    for factor in (_FIRST, _SECOND):
        mixed = ((mixed ^ (mixed >> np.uint64(29))) * factor) & _MASK
    return mixed ^ (mixed >> np.uint64(29))


def draws(row_numbers: NDArray[np.uint64], key: str) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1) for rows that have no sticky unit: the same when the rows come again."""
    return permuted(row_numbers, f"draw/{key}") / float(1 << _BITS)


def make(row_numbers: NDArray[np.uint64], key: str, planned: datetime, tag: str) -> pa.Array:
    """Ids as a column of texts.

    Args:
        row_numbers: From ``numbers``.
        key: Of the job.
        planned: When the job was planned.
        tag: Of endpoint and version (``contracts.prediction_id.tag_of``).
    """
    random = permuted(row_numbers, key)
    milliseconds = np.uint64(int(planned.timestamp() * 1000))
    upper = (milliseconds << np.uint64(16)) | np.uint64(0x7000) | (random >> np.uint64(46))
    lower = (
        (np.uint64(0b10) << np.uint64(62))
        | ((random & np.uint64((1 << 46) - 1)) << np.uint64(16))
        | np.uint64(int(tag, 16))
    )
    octets = np.stack([upper, lower], axis=1).astype(">u8").view(np.uint8)
    texts = np.full((len(octets), LENGTH), ord("-"), dtype=np.uint8)
    texts[:, _DIGITS] = _OCTET_TEXTS[octets].view(np.uint8)
    offsets = np.arange(len(texts) + 1, dtype=np.int32) * LENGTH
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(texts))
