"""A record at which the model hangs or dies is rejected in the end; in an outage nothing is."""

import asyncio
import heapq
import itertools
import json
import random

import pytest

from deployments.streaming.gateway_calls import GatewayCalls
from deployments.streaming.gateway_connection import Answer
from deployments.streaming.record import Partition, Record
from deployments.streaming.stream_file import StreamSpec
from deployments.streaming.values import JsonValues

SPEC = StreamSpec.model_validate(
    {"brokers": "b:1", "input": "in", "results": "out", "rejected": "bad", "endpoint": "risk"}
)
TOO_LATE = Answer(504, b'{"code": "DEADLINE_EXCEEDED", "details": "no answer within 5 s"}', None)
GONE = Answer(503, b'{"code": "MODEL_UNAVAILABLE", "details": "the pool did not answer"}', 2.0)
DEADLINE_SECONDS, HANGS_SECONDS = 5.0, 40.0


class Clock:
    """Time that passes at once, when nobody can go on without it."""

    def __init__(self):
        self.now, self._sleepers, self._order = 0.0, [], itertools.count()

    async def sleep(self, seconds):
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), woken))
        await woken

    async def run_until(self, seconds):
        await asyncio.sleep(0)
        while self._sleepers and self._sleepers[0][0] <= seconds:
            self.now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            for _ in range(10):
                await asyncio.sleep(0)


class Model:
    """Replicas one of which hangs at a poisonous record, with all that reach it until Serve has replaced it.

    Attributes:
        fails: Whether a record is answered as in an outage of the pool.
    """

    where = "the gateway"

    def __init__(self, clock, replicas):
        self._clock, self._free_at, self._next = clock, [0.0] * replicas, itertools.count()
        self.fails, self.hangs = lambda number: False, 0

    async def ask(self, path, headers, body):
        number = json.loads(body)["features"]["id"]
        if self.fails(number):
            return GONE
        replica = next(self._next) % len(self._free_at)
        if number < 0 and self._free_at[replica] <= self._clock.now:
            self._free_at[replica] = self._clock.now + HANGS_SECONDS
            self.hangs += 1
        if self._free_at[replica] > self._clock.now:
            await self._clock.sleep(DEADLINE_SECONDS)
            return TOO_LATE
        await self._clock.sleep(0.01)
        return Answer(200, b"{}", None)


class Stream:
    """Records that come one after the other, and what became of them by number."""

    def __init__(self, replicas=1):
        self.clock = Clock()
        self.model = Model(self.clock, replicas)
        self.calls = GatewayCalls(
            SPEC, JsonValues(), self.model, lambda: None, lambda reason: None, self.clock.sleep
        )
        self.out, self.tasks = {}, []  # the loop itself would let go of tasks
        self.places = asyncio.Semaphore(64)

    def begin(self, number):
        async def handle():
            value = json.dumps({"id": number}).encode()
            outgoing = await self.calls.outgoing(Record(Partition("in", 0), number, None, value, 0.0))
            self.out[number] = outgoing.code
            self.places.release()

        self.tasks.append(asyncio.create_task(handle()))

    async def come(self, count, every, start=0):
        for number in range(start, start + count):
            await self.places.acquire()
            self.begin(number)
            await self.clock.sleep(every)

    def rejected(self):
        return {number: code for number, code in self.out.items() if code}


def run(scenario):
    random.seed(7)

    async def all_of_it():
        await scenario()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    asyncio.run(all_of_it())


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("every", [0.5, 10.0])
def test_a_record_at_which_the_model_hangs_is_rejected_and_none_that_kept_it_company(replicas, every):
    async def scenario():
        stream = Stream(replicas)
        count = int(2000 / every)
        stream.tasks.append(asyncio.create_task(stream.come(count, every)))
        await stream.clock.run_until(20.0)
        stream.begin(-1)
        await stream.clock.run_until(2500.0)
        assert stream.rejected() == {-1: "DEADLINE_EXCEEDED"}
        assert len(stream.out) == count + 1
        assert stream.model.hangs < 12

    run(scenario)


def test_in_an_outage_nothing_is_rejected_and_all_come_out_soon_after_it():
    async def scenario():
        stream = Stream()
        stream.tasks.append(asyncio.create_task(stream.come(150, 1.0)))
        stream.model.fails = lambda number: 100 < stream.clock.now < 1000
        await stream.clock.run_until(1008.0)
        assert (len(stream.out), stream.rejected()) == (150, {})

    run(scenario)


def test_while_the_version_of_some_records_is_away_none_of_them_is_rejected():
    async def scenario():
        stream = Stream()
        stream.tasks.append(asyncio.create_task(stream.come(2000, 1.0)))
        stream.model.fails = lambda number: number % 10 == 0 and 100 < stream.clock.now < 1900
        await stream.clock.run_until(3500.0)
        assert (len(stream.out), stream.rejected()) == (2000, {})

    run(scenario)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_while_some_attempts_fail_by_chance_nothing_is_rejected(share):
    async def scenario():
        stream = Stream()
        stream.tasks.append(asyncio.create_task(stream.come(2000, 1.0)))
        stream.model.fails = lambda number: stream.clock.now < 2000 and random.random() < share
        await stream.clock.run_until(3500.0)
        assert (len(stream.out), stream.rejected()) == (2000, {})

    run(scenario)
