"""Replicas that take calls and do not answer: stopped, cut off, or hung by a row."""

import asyncio
import contextlib
import random
import time
from dataclasses import replace

import pytest

from deployments.contracts.errors import DeadlineExceeded
from deployments.contracts.snapshot import VersionCounts
from deployments.contracts.traffic_policy import Limits
from deployments.gateway.answering_replicas import AnsweringReplicas
from deployments.gateway.dispatch import Dispatcher
from deployments.gateway.row_validation import RowValidator

HANGS = 0.666
"""Income of a row that hangs the replica that gets it."""


class Replicas:
    """A pool whose router sends one row where it is told to, and all others to replicas that are not stopped."""

    def __init__(self, pool, names):
        self._pool, self.names, self.routes, self.stopped, self.met = pool, names, [], set(), []

    async def predict(self, request):
        sound = [name for name in self.names if name not in self.stopped]
        name = random.choice(sound) if sound else self.names[0]
        if "ours" in request.prediction_ids:
            name = self.routes.pop(0) if self.routes else name
            self.met.append(name)
        if HANGS in request.columns.numeric[:, 0]:
            self.stopped.add(name)
        if name in self.stopped:
            await asyncio.Event().wait()
        return replace(await self._pool.predict(request), replica=name)


@pytest.fixture
def replicas(pool):
    return lambda *names: Replicas(pool, names)


@pytest.fixture
def send(schema, row):
    """Submit a row to replicas; calls beyond the first ten are no matter of these tests."""

    def connect(replicas):
        limits = Limits(attemptSeconds=0.05, attempts=4, callsInFlight=10)
        counts = VersionCounts(requests={}, latency_counts=[])
        return Dispatcher(
            "credit_risk_v1.0.0",
            RowValidator(schema),
            replicas.predict,
            limits,
            time.monotonic,
            "gateway-1",
            counts,
        )

    def submit(dispatcher, income=0.25, seconds=5.0, name="ours"):
        rows = RowValidator(schema).validate([{**row, "Income": income}])
        return dispatcher.submit(rows, [name], time.monotonic() + seconds, 100)

    submit.through = connect
    return submit


@contextlib.asynccontextmanager
async def others_are_answered(send, dispatcher):
    """Other callers' rows, again and again; some may leave in a call with ours, and no other waits for those."""

    async def go_on():
        while True:
            send(dispatcher, seconds=0.3, name="another's").add_done_callback(asyncio.Future.exception)
            await asyncio.sleep(0.005)

    others = asyncio.create_task(go_on())
    await asyncio.sleep(0.1)
    yield
    others.cancel()


def test_a_call_that_takes_strangely_long_is_joined_by_another_one_that_may_answer_first(replicas, send, run):
    two = replicas("stopped", "sound")
    two.stopped, two.routes = {"stopped"}, ["stopped"]

    async def scenario():
        return await send(send.through(two))

    assert run(scenario()).attempts == 2
    assert two.met == ["stopped", "sound"]


def test_a_pool_that_hangs_is_given_up_at_the_deadline(replicas, send, run):
    one = replicas("stopped")
    one.stopped = {"stopped"}

    async def scenario():
        await send(send.through(one), seconds=0.3)

    with pytest.raises(DeadlineExceeded):
        run(scenario())
    assert len(one.met) == 2


def test_a_second_call_that_met_the_same_silent_replica_is_followed_by_a_third(replicas, send, run):
    three = replicas("a", "b", "c")

    async def scenario():
        dispatcher = send.through(three)
        async with others_are_answered(send, dispatcher):
            three.stopped, three.routes = {"a"}, ["a", "a"]
            return await send(dispatcher)

    assert run(scenario()).attempts == 3
    assert three.met[:2] == ["a", "a"]


def test_a_row_that_hangs_its_replicas_hangs_two_of_them_and_no_third(replicas, send, run):
    three = replicas("a", "b", "c")

    async def scenario():
        dispatcher = send.through(three)
        async with others_are_answered(send, dispatcher):
            three.routes = ["a", "b"]
            with pytest.raises(DeadlineExceeded):
                await send(dispatcher, HANGS, seconds=2)

    run(scenario())
    assert three.met == ["a", "b"]
    assert three.stopped == {"a", "b"}


def test_replicas_that_are_gone_or_do_not_tell_their_name_say_nothing():
    answering = AnsweringReplicas()
    answering.heard("", 100.0)
    assert not answering.all_but_one_since(99.0)
    answering.heard("retired", 80.0)
    answering.heard("replaced", 85.0)
    answering.heard("sound", 100.0)
    assert answering.all_but_one_since(99.0)
    assert not answering.all_but_one_since(100.0)
