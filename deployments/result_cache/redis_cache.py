"""A result cache that gateways share: Redis, held at arm's length.

Rows of requests that come while a call is under way leave together in the next one, as they do on the way to a
pool: a call costs the gateway half as much as a prediction. Whatever Redis does, a request waits for it once and
no longer than the budget. A call that is overdue goes on without those who waited, so that a connection that takes
longer to make is made all the same; until it ends, and after a few failures in a row, nobody waits for Redis.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from deployments.contracts.wire import Floats
from deployments.result_cache.circuit_breaker import CircuitBreaker
from deployments.result_cache.errors import InvalidCacheUri
from deployments.result_cache.port import DEFAULT_TTL_SECONDS, CacheFigures, decoded, encoded

if TYPE_CHECKING:
    from redis.asyncio import Redis

NAMESPACE = b"raygate:result:1:"
"""Before every key; the number is that of the value's form."""
BUDGET_SECONDS = 0.05
PATIENCE_SECONDS = 2.0
CALL_ROWS = 512
WAITING_WRITES = 10_000

_Lookup = tuple[Sequence[bytes], "asyncio.Future[list[Floats | None]]"]
_log = logging.getLogger("raygate.result_cache")


class Bounds(TypedDict, total=False):
    """What bounds the harm that Redis can do; see ``RedisCache``."""

    budget_seconds: float
    patience_seconds: float
    breaker: CircuitBreaker


class RedisCache:
    """Results in Redis, by whose ``maxmemory`` their number is bounded; belongs to one event loop.

    Args:
        client: Answers bytes, does not retry by itself.
        ttl_seconds: How long a result is good if nothing else is said when it is put; Redis drops it then.
        budget_seconds: The longest that a request waits for Redis.
        patience_seconds: The longest that a call may take once nobody waits for it.
        breaker: Decides when Redis is left alone.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        client: Redis,
        ttl_seconds: float = DEFAULT_TTL_SECONDS,
        budget_seconds: float = BUDGET_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
        breaker: CircuitBreaker | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.figures = CacheFigures()
        self._client, self._ttl_seconds = client, ttl_seconds
        self._budget_seconds, self._patience_seconds, self._clock = budget_seconds, patience_seconds, clock
        self._breaker = breaker or CircuitBreaker()
        self._lookups: deque[_Lookup] = deque()
        self._writes: dict[bytes, tuple[bytes, int]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._is_overdue = False

    @classmethod
    def connect(cls, uri: str, ttl_seconds: float = DEFAULT_TTL_SECONDS, **bounds: Unpack[Bounds]) -> RedisCache:
        """A cache in the Redis of a URI; the connection is made by the first call.

        Raises:
            InvalidCacheUri: It is not what ``redis.asyncio.Redis.from_url`` understands.
        """
        from redis.asyncio import Redis  # 0.4 s, for those that use it
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError

        try:
            client = Redis.from_url(uri, retry=Retry(NoBackoff(), 0), socket_connect_timeout=1.0)
            # Connects to nothing, but refuses options that do not exist.
            client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        except (ValueError, TypeError, RedisError) as error:
            # Without its cause: the message of the cause may show the whole URI.
            raise InvalidCacheUri(uri.partition(":")[0], f"cannot be read ({type(error).__name__})") from None
        return cls(client, ttl_seconds, **bounds)

    async def get_many(self, keys: Sequence[bytes]) -> list[Floats | None]:
        """For each key its row's result, or None; None for all of them if Redis does not answer in time."""
        if self._is_overdue or not self._breaker.allows(self._clock()):
            self.figures.bypassed += len(keys)
            return [None] * len(keys)
        found: asyncio.Future[list[Floats | None]] = asyncio.get_running_loop().create_future()
        self._lookups.append((keys, found))
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._look_up())
        return await found

    def put_many(self, keys: Sequence[bytes], results: Floats, ttl_seconds: float | None = None) -> None:
        """Hand results to the writer behind; returns at once."""
        if self._breaker.is_open or len(self._writes) + len(keys) > WAITING_WRITES:
            self.figures.bypassed += len(keys)
            return
        milliseconds = max(1, round(1000 * (self._ttl_seconds if ttl_seconds is None else ttl_seconds)))
        self._writes.update((key, (value, milliseconds)) for key, value in encoded(keys, results))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())

    async def close(self) -> None:
        """Write what waits, as long as the budget lasts, and disconnect."""
        tasks = [task for task in (self._reader, self._writer) if task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=self._budget_seconds)
        for task in tasks:
            task.cancel()
        await self._client.aclose()

    async def _look_up(self) -> None:
        while self._lookups:
            batch = self._next_lookups()
            keys = [NAMESPACE + key for asked, _ in batch for key in asked]
            overdue = asyncio.get_running_loop().call_later(self._budget_seconds, self._overdue, batch)
            try:
                values: list[bytes | None] = await self._call(partial(self._client.mget, keys))
                self._hand_out(batch, values)
            except Exception:  # a result that cannot be had is computed
                self._release(batch)
            finally:
                overdue.cancel()
                self._is_overdue = False

    def _overdue(self, batch: list[_Lookup]) -> None:
        self._is_overdue = True
        self._release(batch)

    def _release(self, batch: list[_Lookup]) -> None:
        """Let everybody go on without Redis, those who queued behind the batch too."""
        for keys, found in (*batch, *self._lookups):
            if not found.done():
                self.figures.bypassed += len(keys)
                found.set_result([None] * len(keys))
        self._lookups.clear()

    def _next_lookups(self) -> list[_Lookup]:
        """As many requests as one call takes; at least one, however many rows it has."""
        batch = [self._lookups.popleft()]
        rows = len(batch[0][0])
        while self._lookups and rows + len(self._lookups[0][0]) <= CALL_ROWS:
            batch.append(self._lookups.popleft())
            rows += len(batch[-1][0])
        return batch

    def _hand_out(self, batch: list[_Lookup], values: list[bytes | None]) -> None:
        remaining = iter(values)
        for keys, found in batch:
            results = [decoded(value) for value in islice(remaining, len(keys))]
            if found.done():  # left, or released meanwhile
                continue
            hits = sum(result is not None for result in results)
            self.figures.hits += hits
            self.figures.misses += len(keys) - hits
            found.set_result(results)

    async def _write(self) -> None:
        while self._writes:
            batch = list(islice(self._writes.items(), CALL_ROWS))
            for key, _ in batch:
                del self._writes[key]
            pipeline = self._client.pipeline(transaction=False)
            for key, (value, milliseconds) in batch:
                pipeline.set(NAMESPACE + key, value, px=milliseconds)
            try:
                await self._call(pipeline.execute)
            except Exception:  # what is not kept is computed again
                self.figures.bypassed += len(batch) + len(self._writes)
                self._writes.clear()

    async def _call(self, command: Callable[[], Any]) -> Any:
        """The command's answer; the breaker learns how it went, the log when that changes."""
        was_open = self._breaker.is_open
        try:
            async with asyncio.timeout(self._patience_seconds):
                answer = await command()
        except Exception as error:
            self.figures.errors += 1
            self._breaker.failed(self._clock())
            if self._breaker.is_open and not was_open:
                _log.warning("Redis does not answer (%s): predictions go on without it", type(error).__name__)
            raise
        self._breaker.succeeded()
        if was_open:
            _log.warning("Redis answers again")
        return answer
