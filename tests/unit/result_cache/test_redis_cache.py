"""The shared cache on a real Redis: hits for all gateways, and no harm when it is slow or gone."""

import asyncio
import time

import numpy as np
import pytest

from deployments.result_cache.circuit_breaker import CircuitBreaker
from deployments.result_cache.redis_cache import NAMESPACE, RedisCache

A, B, C = b"\x00\r\n" + b"a" * 13, b"b" * 16, b"c" * 16
PATIENT = {"budget_seconds": 5.0, "patience_seconds": 10.0}
RESULTS = np.array([[0.1, 0.9], [1 / 3, 2 / 3]])


async def kept(cache, *keys):
    """Put has no answer: ask until the keys are there."""
    while True:
        if None not in plain(await cache.get_many(keys)):
            return
        await asyncio.sleep(0.005)


def plain(found):
    return [None if result is None else result.tolist() for result in found]


def test_what_one_gateway_put_another_finds(redis_server, run):
    async def scenario():
        one, other = (
            RedisCache.connect(redis_server.uri, **PATIENT),
            RedisCache.connect(redis_server.uri, **PATIENT),
        )
        one.put_many([A, B], RESULTS)
        await kept(one, A, B)
        found = plain(await other.get_many([B, C, A]))
        await asyncio.gather(one.close(), other.close())
        return found, other.figures

    found, figures = run(scenario())
    assert found == [[1 / 3, 2 / 3], None, [0.1, 0.9]]
    assert (figures.hits, figures.misses, figures.bypassed, figures.errors) == (2, 1, 0, 0)


def test_a_row_that_failed_is_never_kept(redis_server, run):
    async def scenario():
        cache = RedisCache.connect(redis_server.uri, **PATIENT)
        cache.put_many([A, B], np.array([[np.nan, np.nan], [0.5, 0.5]]))
        await kept(cache, B)
        found = plain(await cache.get_many([A, B]))
        await cache.close()
        return found

    assert run(scenario()) == [None, [0.5, 0.5]]


@pytest.mark.parametrize(
    ("of_the_cache", "of_the_put"), [(60, None), (3600, 60)], ids=["the-cache-says", "the-put-says"]
)
def test_redis_drops_a_result_when_its_time_is_over(redis_server, run, of_the_cache, of_the_put):
    async def scenario():
        cache = RedisCache.connect(redis_server.uri, ttl_seconds=of_the_cache, **PATIENT)
        cache.put_many([A], RESULTS[:1], of_the_put)
        await kept(cache, A)
        left = await cache._client.pttl(NAMESPACE + A)
        await cache.close()
        return left

    assert 30_000 < run(scenario()) <= 60_000


def test_what_waits_at_the_end_is_written_before_the_connection_closes(redis_server, run):
    async def scenario():
        cache, reader = (
            RedisCache.connect(redis_server.uri, **PATIENT),
            RedisCache.connect(redis_server.uri, **PATIENT),
        )
        cache.put_many([A], RESULTS[:1])
        await cache.close()
        found = plain(await reader.get_many([A]))
        await reader.close()
        return found

    assert run(scenario()) == [[0.1, 0.9]]


def test_requests_at_one_time_share_calls(redis_server, run):
    async def scenario():
        cache = RedisCache.connect(redis_server.uri, **PATIENT)
        cache.put_many([A, B], RESULTS)
        await kept(cache, A, B)
        calls, mget = [], cache._client.mget

        async def counting(keys):
            calls.append(len(keys))
            return await mget(keys)

        cache._client.mget = counting
        found = await asyncio.gather(*(cache.get_many([A, B] if i % 2 else [B]) for i in range(100)))
        await cache.close()
        return calls, [plain(result) for result in found]

    calls, found = run(scenario())
    assert found == [RESULTS.tolist() if i % 2 else [RESULTS[1].tolist()] for i in range(100)]
    assert sum(calls) == 150
    assert len(calls) <= 3


def test_more_rows_than_a_call_takes_go_in_several(redis_server, run):
    keys = [number.to_bytes(16, "big") for number in range(1300)]
    results = np.arange(2600, dtype=np.float64).reshape(1300, 2)

    async def scenario():
        cache = RedisCache.connect(redis_server.uri, **PATIENT)
        cache.put_many(keys, results)
        await kept(cache, *keys)
        found = np.array(await cache.get_many(keys))
        await cache.close()
        return found

    assert np.array_equal(run(scenario()), results)


def test_a_value_that_is_not_ours_is_a_miss(redis_server, run):
    async def scenario():
        cache = RedisCache.connect(redis_server.uri, **PATIENT)
        await cache._client.set(NAMESPACE + A, b"not-float64")
        found = await cache.get_many([A])
        await cache.close()
        return found

    assert run(scenario()) == [None]


async def filled(server):
    """Another gateway has put the first result."""
    other = RedisCache.connect(server.uri, **PATIENT)
    other.put_many([A], RESULTS[:1])
    await kept(other, A)
    await other.close()


def test_a_redis_killed_in_the_middle_costs_no_request_and_is_found_again(redis_server, run, caplog):
    async def scenario():
        await filled(redis_server)
        breaker = CircuitBreaker(failures=3, pause_seconds=0.2)
        cache = RedisCache.connect(redis_server.uri, **PATIENT, breaker=breaker)
        await kept(cache, A)
        redis_server.kill()
        dark = [await cache.get_many([A]) for _ in range(1000)]
        bypassed, errors = cache.figures.bypassed, cache.figures.errors
        cache.put_many([B], RESULTS[1:])
        redis_server.start()
        while plain(await cache.get_many([A])) == [None]:
            cache.put_many([A], RESULTS[:1])
            await asyncio.sleep(0.005)
        await cache.close()
        return dark, bypassed, errors

    dark, bypassed, errors = run(scenario())
    assert dark == [[None]] * 1000
    assert bypassed == 1000
    assert 3 <= errors < 20, "all but the first and a trial a pause went on without asking"
    messages = [record.getMessage() for record in caplog.records if record.name == "raygate.result_cache"]
    assert ["does not answer" in message for message in messages] == [True, False]
    assert "answers again" in messages[-1]


def test_a_redis_that_hangs_delays_one_round_of_requests_by_the_budget(redis_server, run):
    async def timed(cache):
        began = time.monotonic()
        found = await cache.get_many([A])
        return time.monotonic() - began, found

    async def scenario():
        await filled(redis_server)
        cache = RedisCache.connect(redis_server.uri, budget_seconds=0.1, patience_seconds=10.0)
        await kept(cache, A)
        redis_server.freeze()
        together = await asyncio.gather(*(timed(cache) for _ in range(200)))
        after = [await timed(cache) for _ in range(1000)]
        redis_server.thaw()
        # What comes late for those who were released must not be taken for the answer to others.
        await kept(cache, A)
        answer = plain(await cache.get_many([A, B, A]))
        await cache.close()
        return together, after, answer

    together, after, answer = run(scenario())
    assert all(found == [None] for _, found in together + after)
    assert min(seconds for seconds, _ in together) > 0.05
    assert max(seconds for seconds, _ in together) < 1.0
    assert sum(seconds for seconds, _ in after) < 1.0, "while the call is overdue nobody waits"
    assert answer == [[0.1, 0.9], None, [0.1, 0.9]]


def test_a_redis_that_never_comes_back_to_a_call_is_asked_on_another_connection(redis_server, run):
    async def scenario():
        await filled(redis_server)
        breaker = CircuitBreaker(failures=1, pause_seconds=0.1)
        cache = RedisCache.connect(redis_server.uri, budget_seconds=0.1, patience_seconds=0.2, breaker=breaker)
        await kept(cache, A)
        redis_server.freeze()
        async with asyncio.timeout(3):
            while not breaker.is_open:
                assert await cache.get_many([A]) == [None]
                await asyncio.sleep(0.005)
        redis_server.thaw()
        await kept(cache, A)
        answer = plain(await cache.get_many([B, A]))
        await cache.close()
        return answer

    assert run(scenario()) == [None, [0.1, 0.9]]


def test_those_who_queue_behind_an_overdue_call_are_released_with_it(redis_server, run):
    async def scenario():
        await filled(redis_server)
        cache = RedisCache.connect(redis_server.uri, budget_seconds=0.1, patience_seconds=10.0)
        await kept(cache, A)
        redis_server.freeze()
        calls, under_way, mget = 0, asyncio.Event(), cache._client.mget

        async def noticed(keys):
            nonlocal calls
            calls += 1
            under_way.set()
            return await mget(keys)

        cache._client.mget = noticed
        first = asyncio.create_task(cache.get_many([A]))
        await under_way.wait()
        behind = await cache.get_many([A])
        released_with_it = first.done()
        await cache.close()
        return await first, behind, released_with_it, calls

    assert run(scenario()) == ([None], [None], True, 1)


def test_a_caller_that_leaves_does_not_disturb_the_others(redis_server, run):
    async def scenario():
        cache = RedisCache.connect(redis_server.uri, **PATIENT)
        cache.put_many([A], RESULTS[:1])
        await kept(cache, A)
        leaving, staying = (asyncio.create_task(cache.get_many([A])) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        found = plain(await staying)
        await cache.close()
        return found

    assert run(scenario()) == [[0.1, 0.9]]


def test_writes_that_wait_are_bounded(run):
    async def scenario():
        cache = RedisCache.connect("redis://127.0.0.1:1/0")
        keys = [number.to_bytes(16, "big") for number in range(10_001)]
        cache.put_many(keys, np.zeros((10_001, 1)))
        await cache.close()
        return cache.figures.bypassed

    assert run(scenario()) == 10_001


def test_an_error_keeps_its_words_between_processes():
    import pickle

    from deployments.result_cache.errors import InvalidCacheUri

    error = InvalidCacheUri("memcached", "no such kind of store")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize("uri", ["redis://127.0.0.1:1/0"], ids=["nobody-listens"])
def test_a_redis_that_was_never_there_is_a_miss(run, uri):
    async def scenario():
        cache = RedisCache.connect(uri)
        found = [await cache.get_many([A]) for _ in range(5)]
        await cache.close()
        return found, cache.figures.errors

    assert run(scenario()) == ([[None]] * 5, 3)
