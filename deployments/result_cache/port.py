"""What a result cache promises, whatever keeps the results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deployments.contracts.wire import Floats

DEFAULT_TTL_SECONDS = 3600.0
DEFAULT_MAXIMUM_ENTRIES = 10_000


@dataclass(slots=True)
class CacheFigures:
    """What a cache counted since it was opened, in rows unless it says otherwise.

    Attributes:
        hits: Rows whose result was there.
        misses: Rows that were looked for and not there; hit rate = hits / (hits + misses).
        bypassed: Rows not looked for or not kept: the store was late, had failed lately, or too many waited.
        errors: Calls to the store that failed.
    """

    hits: int = 0
    misses: int = 0
    bypassed: int = 0
    errors: int = 0


class ResultCache(Protocol):
    """Results by key. It never raises on account of its store: what it cannot answer is a miss."""

    figures: CacheFigures

    async def get_many(self, keys: Sequence[bytes]) -> list[Floats | None]:
        """For each key its row's result, float64 of shape (k,), read-only, or None."""
        ...

    def put_many(self, keys: Sequence[bytes], results: Floats, ttl_seconds: float | None = None) -> None:
        """Keep results, soon and without being waited for.

        Args:
            keys: One for each row.
            results: float64 of shape (keys, k); a row with a value that is not finite is left out.
            ttl_seconds: How long they are good; None takes the cache's own time.
        """
        ...

    async def close(self) -> None:
        """Let go of the store."""
        ...


def encoded(keys: Sequence[bytes], results: Floats) -> Iterator[tuple[bytes, bytes]]:
    """Key and bytes (float64, little-endian) of every row worth keeping: one that failed holds NaN and is not."""
    sound: list[bool] = np.all(np.isfinite(results), axis=1).tolist()
    for key, row, is_sound in zip(keys, results.astype("<f8", copy=False), sound, strict=True):
        if is_sound:
            yield key, row.tobytes()


def decoded(value: bytes | None) -> NDArray[np.float64] | None:
    """The result in a value, or None for no value or one that is not ours."""
    return np.frombuffer(value, dtype="<f8") if value and len(value) % 8 == 0 else None
