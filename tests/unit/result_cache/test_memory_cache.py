"""The embedded cache keeps what is young and in use, and nothing that failed."""

import numpy as np
import pytest

from deployments.result_cache.errors import InvalidCacheUri
from deployments.result_cache.memory_cache import MemoryCache
from deployments.result_cache.opening import open_cache
from deployments.result_cache.redis_cache import RedisCache

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16


@pytest.fixture
def look_up(run):
    """Which of the keys a cache holds, with their results."""

    def look(cache, *keys):
        found = run(cache.get_many(keys))
        return [None if result is None else result.tolist() for result in found]

    return look


def test_what_was_put_is_found_again_to_the_last_bit(look_up):
    cache = MemoryCache()
    cache.put_many([A, B], np.array([[0.1, 0.9], [1 / 3, 2 / 3]]))
    assert look_up(cache, B, C, A) == [[1 / 3, 2 / 3], None, [0.1, 0.9]]
    assert (cache.figures.hits, cache.figures.misses) == (2, 1)


@pytest.mark.parametrize(
    ("of_the_cache", "of_the_put"), [(10, None), (3600, 10)], ids=["the-cache-says", "the-put-says"]
)
def test_a_result_is_gone_when_its_time_is_over(look_up, of_the_cache, of_the_put):
    now = [100.0]
    cache = MemoryCache(ttl_seconds=of_the_cache, clock=lambda: now[0])
    cache.put_many([A], np.array([[1.0]]), of_the_put)
    now[0] = 109.9
    assert look_up(cache, A) == [[1.0]]
    now[0] = 110.0
    assert look_up(cache, A) == [None]
    assert len(cache) == 0


def test_the_least_recently_used_entry_makes_room(look_up):
    cache = MemoryCache(maximum_entries=2)
    cache.put_many([A, B], np.array([[1.0], [2.0]]))
    look_up(cache, A)
    cache.put_many([C], np.array([[3.0]]))
    assert look_up(cache, A, B, C) == [[1.0], None, [3.0]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf], ids=str)
def test_a_row_that_failed_is_never_kept(look_up, bad):
    cache = MemoryCache()
    cache.put_many([A, B], np.array([[0.5, bad], [0.5, 0.5]]))
    assert look_up(cache, A, B) == [None, [0.5, 0.5]]


def test_a_uri_chooses_the_store():
    assert isinstance(open_cache("memory:"), MemoryCache)
    assert isinstance(open_cache("redis://127.0.0.1:1/0"), RedisCache)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        pytest.param("memcached://host", "no such kind of store", id="unknown-kind"),
        pytest.param("redis://:secret@host:port/0", "cannot be read", id="port-is-no-number"),
        pytest.param("redis://:secret@host/0?ttl=5", "cannot be read", id="no-such-option"),
        pytest.param("", "no such kind of store", id="empty"),
    ],
)
def test_a_bad_uri_is_refused_without_showing_its_password(uri, reason):
    with pytest.raises(InvalidCacheUri) as refused:
        open_cache(uri)
    assert reason in str(refused.value)
    assert "redis://host:port/db" in str(refused.value)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None
