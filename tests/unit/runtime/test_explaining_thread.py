import asyncio
import threading

import numpy as np
import pytest

from deployments.contracts.explanations import Unexplained
from deployments.contracts.wire import PoolReply, PoolRequest
from deployments.runtime import columns as columnar
from deployments.runtime.explanations import explaining_thread
from deployments.runtime.explanations.explaining_thread import ExplainingThread
from deployments.runtime.predictor import Predictor
from deployments.version_pool import VersionPool


class SlowToLoad(Predictor):
    """Its reference sample, the first thing that an explainer reads, comes when the gate opens."""

    def __init__(self, package):
        super().__init__(package)
        self.gate = threading.Event()

    def sample(self, rows=None):
        self.gate.wait(10)
        return super().sample(rows)


@pytest.fixture
def few(rows, packaged):
    return columnar.from_frame(rows.head(3), packaged.schema)


@pytest.fixture
def slow(packaged):
    predictor = SlowToLoad(packaged)
    yield predictor
    predictor.gate.set()


def test_the_event_loop_goes_on_while_the_model_is_loaded(slow, few):
    async def scenario():
        thread, scores = ExplainingThread(slow), slow.predict(few).scores
        asked = asyncio.create_task(thread.explain(few, (0, 1), scores, 10))
        turns = 0
        while turns < 100:
            await asyncio.sleep(0)
            turns += 1
        assert not asked.done()
        slow.gate.set()
        return await asked

    assert list(asyncio.run(scenario()).explained) == [0, 1]


def test_who_cannot_wait_for_the_loading_is_told_and_the_next_one_is_served(slow, few):
    async def scenario():
        thread, scores = ExplainingThread(slow), slow.predict(few).scores
        early = await thread.explain(few, (0,), scores, 0.01)
        slow.gate.set()
        return early, await thread.explain(few, (0,), scores, 10)

    early, late = asyncio.run(scenario())
    assert early.unexplained == {0: Unexplained.OUT_OF_TIME}
    assert list(late.explained) == [0]


def test_calls_beyond_the_bound_are_refused_at_once_and_not_for_ever(slow, few):
    async def scenario():
        thread, scores = ExplainingThread(slow), slow.predict(few).scores
        bound = explaining_thread.MOST_WAITING_CALLS
        waiting = [asyncio.create_task(thread.explain(few, (0,), scores, 10)) for _ in range(bound)]
        await asyncio.sleep(0)
        refused = await thread.explain(few, (0,), scores, 10)
        slow.gate.set()
        await asyncio.gather(*waiting)
        return refused, await thread.explain(few, (0,), scores, 10)

    refused, later = asyncio.run(scenario())
    assert refused.unexplained == {0: Unexplained.BUSY}
    assert list(later.explained) == [0]


@pytest.fixture
def pool(packaged):
    return VersionPool(str(packaged.directory), packaged.digest)


def asked(packaged, columns, explain, **others):
    ids = [str(row) for row in range(len(columns))]
    return PoolRequest(packaged.schema.fingerprint, columns, ids, budget_seconds=10, explain=explain, **others)


def reply_of(pool, request):
    return PoolReply.from_plain(asyncio.run(pool.predict(request.to_plain())))


def test_a_pool_explains_the_rows_that_ask_beside_their_scores(pool, packaged, few):
    reply = reply_of(pool, asked(packaged, few, (2,)))
    assert reply.explanations is not None
    found = reply.explanations.explained[2]
    log_odds = found.base_values[0] + found.contributions[0].sum()
    assert 1 / (1 + np.exp(-log_odds)) == pytest.approx(reply.scores[2, 1], abs=1e-5)


def test_who_does_not_ask_gets_the_reply_of_old(pool, packaged, few):
    plain = asyncio.run(pool.predict(asked(packaged, few, ()).to_plain()))
    assert "explanations" not in plain


def test_explanations_that_fail_leave_the_scores_alone(pool, packaged, few, monkeypatch):
    def broken(*_):
        raise MemoryError

    monkeypatch.setattr(explaining_thread, "Explainer", broken)
    reply = reply_of(pool, asked(packaged, few, (0, 1)))
    assert np.isfinite(reply.scores).all()
    assert reply.explanations is not None
    assert reply.explanations.unexplained == dict.fromkeys((0, 1), Unexplained.MODEL_ERROR)
