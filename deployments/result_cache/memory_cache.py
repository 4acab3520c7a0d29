"""The embedded result cache: bounded by entries and by age, the least recently used goes first."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from deployments.contracts.wire import Floats
from deployments.result_cache.port import (
    DEFAULT_MAXIMUM_ENTRIES,
    DEFAULT_TTL_SECONDS,
    CacheFigures,
    decoded,
    encoded,
)


class MemoryCache:
    """Results of one gateway replica; belongs to one event loop.

    Args:
        ttl_seconds: How long a result is good if nothing else is said when it is put.
        maximum_entries: Rows kept at the most, about 300 bytes each.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        ttl_seconds: float = DEFAULT_TTL_SECONDS,
        maximum_entries: int = DEFAULT_MAXIMUM_ENTRIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.figures = CacheFigures()
        self._ttl_seconds, self._maximum_entries, self._clock = ttl_seconds, maximum_entries, clock
        self._entries: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()

    def __len__(self) -> int:
        """Entries held, those that are too old and not yet noticed included."""
        return len(self._entries)

    async def get_many(self, keys: Sequence[bytes]) -> list[Floats | None]:
        """For each key its row's result, or None."""
        now = self._clock()
        found = [decoded(self._get(key, now)) for key in keys]
        hits = sum(result is not None for result in found)
        self.figures.hits += hits
        self.figures.misses += len(keys) - hits
        return found

    def put_many(self, keys: Sequence[bytes], results: Floats, ttl_seconds: float | None = None) -> None:
        """Keep results; the entries that were not used for longest make room."""
        expires = self._clock() + (self._ttl_seconds if ttl_seconds is None else ttl_seconds)
        for key, value in encoded(keys, results):
            self._entries[key] = (expires, value)
            self._entries.move_to_end(key)
        while len(self._entries) > self._maximum_entries:
            self._entries.popitem(last=False)

    async def close(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def _get(self, key: bytes, now: float) -> bytes | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        expires, value = entry
        if expires <= now:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return value
