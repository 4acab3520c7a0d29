"""How a stream's requests are joined into calls of the gateway."""

import asyncio

import pytest

from deployments.contracts import joint_call
from deployments.contracts.errors import WireMismatch
from deployments.streaming.gateway_connection import NO_ANSWER
from deployments.streaming.serve_connection import CALLS, REQUESTS_A_CALL, ServeConnection


class Gateways:
    """Answers each request with its own body, once the gate is open."""

    def __init__(self):
        self.lots, self.failures, self.gate = [], [], asyncio.Event()

    async def answer_together(self, plain):
        requests = joint_call.from_plain(plain)
        self.lots.append([request.body for request in requests])
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        return [(200, ((b"retry-after", b"2"),), request.body) for request in requests]


@pytest.fixture
def run():
    def within_ten_seconds(scenario):
        gateways = Gateways()
        connection = ServeConnection("the gateway", gateways.answer_together)
        return asyncio.run(asyncio.wait_for(scenario(gateways, connection), 10))

    return within_ten_seconds


def ask(connection, number):
    return asyncio.ensure_future(connection.ask("/api/v1/predict", {"x-user-id": "1"}, b"%d" % number))


async def ask_one_by_one(connection, count):
    """A call for each, all of which wait at the gate."""
    asked = []
    for number in range(count):
        asked.append(ask(connection, number))
        await asyncio.sleep(0.01)
    return asked


def test_requests_of_one_turn_of_the_loop_leave_together_and_at_once(run):
    async def scenario(gateways, connection):
        asked = [ask(connection, number) for number in range(10)]
        for _ in range(3):
            await asyncio.sleep(0)
        assert [len(lot) for lot in gateways.lots] == [10]
        gateways.gate.set()
        answers = await asyncio.gather(*asked)
        assert [answer.body for answer in answers] == [b"%d" % number for number in range(10)]
        assert answers[0].retry_after == 2.0

    run(scenario)


def test_those_that_come_while_others_are_under_way_leave_together(run):
    async def scenario(gateways, connection):
        asked = await ask_one_by_one(connection, CALLS + 10)
        assert [len(lot) for lot in gateways.lots] == [1] * CALLS
        gateways.gate.set()
        await asyncio.gather(*asked)
        assert [len(lot) for lot in gateways.lots] == [1] * CALLS + [10]

    run(scenario)


def test_a_call_takes_no_more_than_its_limit(run):
    async def scenario(gateways, connection):
        asked = await ask_one_by_one(connection, CALLS)
        asked += [ask(connection, number) for number in range(REQUESTS_A_CALL + 1)]
        gateways.gate.set()
        await asyncio.gather(*asked)
        assert [len(lot) for lot in gateways.lots] == [1] * CALLS + [REQUESTS_A_CALL, 1]

    run(scenario)


def test_a_call_that_fails_answers_nobody_and_the_next_one_is_made(run):
    async def scenario(gateways, connection):
        gateways.gate.set()
        gateways.failures = [ConnectionError("the replica is gone")]
        assert await ask(connection, 1) == NO_ANSWER
        assert (await ask(connection, 1)).body == b"1"

    run(scenario)


def test_a_request_that_nobody_waits_for_any_more_is_not_sent(run):
    async def scenario(gateways, connection):
        asked = await ask_one_by_one(connection, CALLS + 2)
        asked[CALLS].cancel()
        gateways.gate.set()
        await asyncio.gather(*asked, return_exceptions=True)
        assert gateways.lots[CALLS:] == [[b"%d" % (CALLS + 1)]]

    run(scenario)


def test_large_requests_share_no_call_that_grpc_would_refuse(run):
    large = b"x" * 1_600_000

    async def scenario(gateways, connection):
        asked = await ask_one_by_one(connection, CALLS)
        asked += [asyncio.ensure_future(connection.ask("/", {}, large)) for _ in range(3)]
        await asyncio.sleep(0.01)
        gateways.gate.set()
        assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
        assert [len(lot) for lot in gateways.lots[CALLS:]] == [1, 1, 1]
        refused = await connection.ask("/", {}, large * 2)
        assert (refused.status, b"BODY_TOO_LARGE" in refused.body) == (413, True)

    run(scenario)


@pytest.mark.parametrize("error", [WireMismatch("contracts", "1", "2"), AttributeError("answer_together")])
def test_a_gateway_of_another_release_ends_the_run_that_the_next_one_may_take_another_way(run, error):
    async def scenario(gateways, connection):
        gateways.gate.set()
        gateways.failures = [error]
        with pytest.raises(WireMismatch):
            await ask(connection, 1)

    run(scenario)
