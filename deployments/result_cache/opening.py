"""The result cache that a URI names."""

from __future__ import annotations

from deployments.result_cache.errors import InvalidCacheUri
from deployments.result_cache.memory_cache import MemoryCache
from deployments.result_cache.port import DEFAULT_MAXIMUM_ENTRIES, DEFAULT_TTL_SECONDS, ResultCache
from deployments.result_cache.redis_cache import RedisCache

MEMORY = "memory:"


def open_cache(
    uri: str = MEMORY,
    ttl_seconds: float = DEFAULT_TTL_SECONDS,
    maximum_entries: int = DEFAULT_MAXIMUM_ENTRIES,
) -> ResultCache:
    """Open a cache.

    Args:
        uri: ``memory:``, or ``redis://``, ``rediss://`` (TLS) or ``unix://`` for one that gateways share.
        ttl_seconds: How long a result is good.
        maximum_entries: Rows kept at the most; for Redis its own ``maxmemory`` decides instead.

    Raises:
        InvalidCacheUri: The URI names no store that is known.
    """
    scheme = uri.partition(":")[0]
    if uri == MEMORY:
        return MemoryCache(ttl_seconds, maximum_entries)
    if scheme in ("redis", "rediss", "unix"):
        return RedisCache.connect(uri, ttl_seconds)
    raise InvalidCacheUri(scheme, "no such kind of store")
