import asyncio
from contextvars import ContextVar

import pytest

from deployments.contracts.errors import DeadlineExceeded, InvalidRows, Overloaded, PoolUnavailable, WireMismatch
from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.snapshot import VersionCounts
from deployments.contracts.traffic_policy import Limits
from deployments.gateway.dispatch import CALL_BYTES_LIMIT, Dispatcher
from deployments.gateway.row_validation import RowValidator


class Clock:
    """Monotonic seconds that stand still until a test moves them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def counts():
    return VersionCounts(requests={}, latency_counts=[])


@pytest.fixture
def dispatch(pool, schema, clock, counts):
    """A dispatcher over the pool, with any limits."""

    def make(**limits):
        made = Limits(**limits)
        return Dispatcher(
            "credit_risk_v1.0.0", RowValidator(schema), pool.predict, made, clock, "gateway-1", counts
        )

    return make


@pytest.fixture
def send(schema, row, clock):
    """Submit one request of rows with the given incomes."""

    def submit(dispatcher, *incomes, seconds=5.0):
        rows = RowValidator(schema).validate([{**row, "Income": income} for income in incomes])
        ids = [f"id-{income}" for income in incomes]
        return dispatcher.submit(rows, ids, clock.now + seconds, 100)

    return submit


def test_a_lone_row_leaves_at_once(dispatch, send, pool, run):
    async def scenario():
        return await send(dispatch(), 0.25)

    scores = run(scenario())
    assert scores.values.tolist() == [[0.75, 0.25]]
    assert [len(call.columns) for call in pool.calls] == [1]


def test_rows_that_come_in_one_turn_of_the_loop_leave_in_one_call(dispatch, send, pool, run):
    async def scenario():
        dispatcher = dispatch(callsInFlight=1)
        await asyncio.gather(*(send(dispatcher, 0.1) for _ in range(10)))

    run(scenario())
    assert [len(call.columns) for call in pool.calls] == [10]


def test_rows_that_come_while_calls_are_in_flight_leave_together(dispatch, send, pool, run):
    async def scenario():
        pool.gate = asyncio.Event()
        dispatcher = dispatch(callsInFlight=1)
        answers = [send(dispatcher, 0.0)]
        await settle()
        answers += [send(dispatcher, income / 100) for income in range(1, 10)]
        pool.gate.set()
        return await asyncio.gather(*answers)

    scores = run(scenario())
    assert [len(call.columns) for call in pool.calls] == [1, 9]
    assert [score.values[0, 1] for score in scores] == [income / 100 for income in range(10)]


def test_a_call_that_callers_share_belongs_to_no_request(dispatch, send, pool, run):
    """Serve keeps the request in the context, and cancels the calls made in it when its caller leaves."""
    request = ContextVar("request", default="none")
    seen, answered = [], pool.predict

    async def predict(asked):
        seen.append(request.get())
        return await answered(asked)

    pool.predict = predict

    async def scenario():
        dispatcher = dispatch(callsInFlight=1)
        request.set("the first")
        await asyncio.gather(send(dispatcher, 0.1), send(dispatcher, 0.2))

    run(scenario())
    assert seen == ["none"]


def test_a_call_takes_no_more_rows_than_allowed_but_never_splits_a_request(dispatch, send, pool, run):
    async def scenario():
        pool.gate = asyncio.Event()
        dispatcher = dispatch(callsInFlight=1, maxCallRows=4)
        answers = [send(dispatcher, 0.1), *(send(dispatcher, 0.1, 0.2, 0.3) for _ in range(2))]
        answers.append(send(dispatcher, *[0.5] * 9))
        pool.gate.set()
        return await asyncio.gather(*answers)

    scores = run(scenario())
    assert [len(call.columns) for call in pool.calls] == [4, 3, 9]
    assert [len(score.values) for score in scores] == [1, 3, 3, 9]


def test_one_bad_row_in_a_call_is_nobody_elses_problem(dispatch, pool, schema, row, clock, run):
    pool.row_errors = {"freelance": "model_error"}

    async def scenario():
        pool.gate = asyncio.Event()
        dispatcher, validator = dispatch(callsInFlight=1), RowValidator(schema)
        jobs = ["fixed", "fixed", "freelance", "fixed"]
        answers = [
            dispatcher.submit(validator.validate([{**row, "Job": job}]), [job], clock.now + 5, 10) for job in jobs
        ]
        await asyncio.sleep(0)
        pool.gate.set()
        return await asyncio.gather(*answers)

    scores = run(scenario())
    assert [score.errors for score in scores] == [{}, {}, {0: "model_error"}, {}]


def test_a_call_that_fails_in_transport_is_repeated(dispatch, send, pool, counts, run):
    pool.failures = [ConnectionError("replica died"), ConnectionError("so did that one")]
    dispatcher = dispatch()

    async def scenario():
        return await send(dispatcher, 0.5)

    assert run(scenario()).attempts == 3
    assert counts.retries == 2
    assert counts.model_seconds > 0


def test_a_call_that_the_replica_cancelled_is_repeated_like_any_other_failure(dispatch, send, pool, run):
    pool.failures = [asyncio.CancelledError("at the replica")]

    async def scenario():
        return await send(dispatch(), 0.5)

    assert run(scenario()).attempts == 2


def test_each_attempt_tells_the_pool_how_long_its_callers_still_wait(dispatch, send, pool, run):
    pool.failures = [ConnectionError("gone")]

    async def scenario():
        await send(dispatch(attemptSeconds=3), 0.5, seconds=2.0)

    run(scenario())
    assert [call.budget_seconds for call in pool.calls] == [2.0, 2.0]


def test_rows_that_no_call_could_carry_are_refused_at_once(dispatch, schema, row, clock, run):
    async def scenario():
        rows = RowValidator(schema).validate([row])
        with pytest.raises(InvalidRows, match="send fewer"):
            dispatch().submit(rows, ["id"], clock.now + 1, CALL_BYTES_LIMIT)

    run(scenario())


def test_after_the_last_attempt_the_caller_is_told_and_the_next_one_is_served(dispatch, send, pool, run):
    pool.failures = [ConnectionError("gone")] * 2
    dispatcher = dispatch(attempts=2)

    async def scenario():
        with pytest.raises(PoolUnavailable):
            await send(dispatcher, 0.5)
        return await send(dispatcher, 0.25)

    assert run(scenario()).values[0, 1] == 0.25
    assert dispatcher.backlog == 0


def test_a_row_that_waited_past_its_deadline_is_not_sent(dispatch, send, pool, clock, run):
    async def scenario():
        pool.gate = asyncio.Event()
        dispatcher = dispatch(callsInFlight=1)
        first = send(dispatcher, 0.1)
        await settle()
        late = send(dispatcher, 0.2, seconds=1.0)
        clock.now += 2
        pool.gate.set()
        await first
        with pytest.raises(DeadlineExceeded):
            await late

    run(scenario())
    assert [call.prediction_ids for call in pool.calls] == [["id-0.1"]]


def test_a_full_queue_refuses_instead_of_growing(dispatch, send, pool, run):
    async def scenario():
        pool.gate = asyncio.Event()
        dispatcher = dispatch(callsInFlight=1, maxWaitingRows=2)
        answers = [send(dispatcher, 0.1)]
        await settle()
        answers += [send(dispatcher, 0.1) for _ in range(2)]
        with pytest.raises(Overloaded, match="2 rows wait"):
            send(dispatcher, 0.1)
        pool.gate.set()
        await asyncio.gather(*answers)
        return dispatcher.backlog

    assert run(scenario()) == 0


def test_a_pool_with_another_schema_is_a_typed_refusal_and_not_a_guess(dispatch, send, pool, schema, run):
    pool.schema = FeatureSchema(features=schema.features[:3])

    async def scenario():
        await send(dispatch(), 0.1)

    with pytest.raises(WireMismatch):
        run(scenario())
    assert len(pool.calls) == 1


def test_a_caller_that_left_takes_no_place_in_the_next_call(dispatch, send, pool, run):
    async def scenario():
        pool.gate = asyncio.Event()
        dispatcher = dispatch(callsInFlight=1)
        answers = [send(dispatcher, 0.1)]
        await settle()
        answers += [send(dispatcher, 0.1) for _ in range(2)]
        answers[1].cancel()
        pool.gate.set()
        await answers[2]
        return dispatcher.backlog

    assert run(scenario()) == 0
    assert [len(call.columns) for call in pool.calls] == [1, 1]


def test_the_pool_is_told_how_many_rows_stand_behind_a_call(dispatch, send, pool, run):
    async def scenario():
        pool.gate = asyncio.Event()
        dispatcher = dispatch(callsInFlight=1, maxCallRows=2)
        answers = [send(dispatcher, 0.1)]
        await settle()
        answers += [send(dispatcher, 0.1) for _ in range(3)]
        pool.gate.set()
        await asyncio.gather(*answers)

    run(scenario())
    assert [call.backlog for call in pool.calls] == [1, 3, 1]


class SlowPool:
    """A pool that answers 20 rows at most each tenth of a second, in simulated time."""

    def __init__(self, pool, send, dispatcher, clock):
        self._pool, self._send, self._dispatcher, self._clock = pool, send, dispatcher, clock
        self._calls_done = asyncio.Queue()
        self.waits, self.refused = [], 0

    async def predict(self, request):
        await self._calls_done.get()
        return await self._pool.predict(request)

    async def pass_by(self, seconds, rows_per_second, stalled=False):
        for tick in range(round(seconds * 100)):
            for _ in range(rows_per_second // 100):
                self._offer()
            self._clock.now += 0.01
            if tick % 10 == 9 and not stalled:
                self._calls_done.put_nowait(None)
                await settle()

    def _offer(self):
        try:
            sent, answer = self._clock.now, self._send(self._dispatcher, 0.25, seconds=60)
        except Overloaded:
            self.refused += 1
        else:
            answer.add_done_callback(lambda _: self.waits.append(self._clock.now - sent))


@pytest.fixture
def slow_pool(dispatch, send, pool, clock):
    dispatcher = dispatch(max_wait_seconds=2.0, max_call_rows=20, attempt_seconds=60)
    slow = SlowPool(pool, send, dispatcher, clock)
    dispatcher.redirect(slow.predict, dispatcher.limits, 1)
    return slow


@pytest.mark.parametrize("times_capacity", [1, 2, 4])
def test_what_is_accepted_waits_no_longer_however_much_is_offered(slow_pool, run, times_capacity):
    """The rest is refused, and the pool is never idle."""

    async def scenario():
        await slow_pool.pass_by(10, 200 * times_capacity)
        answered = len(slow_pool.waits)
        await slow_pool.pass_by(4, 0)
        return answered

    assert run(scenario()) >= 0.95 * 200 * 10
    assert max(slow_pool.waits) < 2.5
    assert bool(slow_pool.refused) == (times_capacity > 1)


def test_a_call_that_stalls_refuses_nobody_whom_the_pool_can_answer(slow_pool, run):
    async def scenario():
        for _ in range(5):
            await slow_pool.pass_by(1, 100)
            await slow_pool.pass_by(1, 100, stalled=True)
            await slow_pool.pass_by(3, 100)

    run(scenario())
    assert slow_pool.refused == 0


async def settle():
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)
