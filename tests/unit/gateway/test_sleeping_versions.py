"""Versions whose pools may have no replica: who wakes them, who waits, and what is told of them."""

import asyncio
import pickle
from contextvars import ContextVar

import pytest
from gateway_stack import V1, V3, until

from deployments.contracts.traffic_policy import Condition, Rule
from deployments.gateway.sleeper import PoolStarting, Sleeper
from deployments.routing.slot_table import SlotTable

BETA = {"x-cohort": "beta"}
SLEEPING = {
    "sleepers": (V3,),
    "rules": (Rule(name="beta", when=Condition(header=BETA), version=V3),),
}


@pytest.fixture
def play_asleep(play):
    """Run a scenario on a gateway that starts while the third version sleeps, or has known it before."""

    def go(scenario, known=True, **limits):
        async def asleep(stack):
            pool = stack.pool(V3)
            pool.up = asyncio.Event()
            if known:
                pool.up.set()
            pools = await stack.start()
            pool.up.clear()
            await pools.probe((stack.policy,))
            pool.described = 0
            return await scenario(stack, pools)

        return play(asleep, policy=SLEEPING, **limits)

    return go


async def wakes_after(stack, seconds):
    await asyncio.sleep(seconds)
    stack.pool(V3).up.set()


def either(argument):
    """With the third version's schema known from before, and with a gateway that is new."""
    return pytest.mark.parametrize(argument, [True, False], ids=["known", "new-gateway"])


@either("known")
def test_a_pinned_request_wakes_the_pool_and_is_answered_by_it(play_asleep, row, known):
    async def scenario(stack, pools):
        waking = asyncio.create_task(wakes_after(stack, 0.05))
        answer = (await stack.predict(row, model_version="1.2.0")).json()
        assert answer["model_version"] == "1.2.0"
        await waking

    play_asleep(scenario, known)


def test_a_version_that_was_met_by_waking_it_is_known_from_the_next_look_on(play_asleep, row):
    async def scenario(stack, pools):
        assert V3 not in stack.scoring.endpoint("credit-risk").versions
        stack.pool(V3).up.set()
        await stack.predict(row, model_version="1.2.0")
        assert await pools.probe((stack.policy,))
        stack.scoring.serve(pools.endpoints((stack.policy,)))
        assert not await pools.probe((stack.policy,))
        described = stack.pool(V3).described
        await stack.predict(row, model_version="1.2.0")
        assert stack.pool(V3).described == described

    play_asleep(scenario, known=False)


@either("known")
def test_all_who_wait_share_one_call_and_are_answered(play_asleep, row, known):
    async def scenario(stack, pools):
        requests = [asyncio.create_task(stack.predict(row, model_version="1.2.0")) for _ in range(20)]
        await until(lambda: stack.pool(V3).described)
        await wakes_after(stack, 0.02)
        assert {(await request).json()["model_version"] for request in requests} == {"1.2.0"}
        assert stack.pool(V3).described == 1

    play_asleep(scenario, known)


def test_the_call_that_wakes_a_pool_belongs_to_no_request_for_others_wait_for_it_too():
    request, seen = ContextVar("request", default="none"), []

    async def wake():
        seen.append(request.get())

    async def scenario():
        request.set("the first one")
        await Sleeper(str(V3), wake).awake(1.0)

    asyncio.run(scenario())
    assert seen == ["none"]


@either("known")
def test_one_that_takes_longer_than_the_deadline_is_starting_and_says_when_to_ask_again(play_asleep, row, known):
    async def scenario(stack, pools):
        refused = await stack.predict(row, model_version="1.2.0")
        assert (refused.status_code, refused.json()["code"]) == (503, "MODEL_UNAVAILABLE")
        assert refused.headers["retry-after"] == "5"
        assert refused.json()["details"] == "the pool of credit_risk_v1.2.0 slept and is starting; ask again"
        stack.pool(V3).up.set()  # nobody else asked: the first request's call is still there
        assert (await stack.predict(row, model_version="1.2.0")).status_code == 200
        assert stack.pool(V3).described == 1

    play_asleep(scenario, known, deadline_seconds=0.05)


@either("known")
def test_a_request_by_a_rule_is_answered_by_stable_when_the_pool_takes_too_long(play_asleep, row, known):
    async def scenario(stack, pools):
        answer = (await stack.predict(row, headers=BETA)).json()
        assert (answer["model_version"], answer["failover_from"]) == ("1.0.0", "1.2.0")
        await wakes_after(stack, 0.0)
        assert (await stack.predict(row, headers=BETA)).json()["model_version"] == "1.2.0"

    play_asleep(scenario, known, deadline_seconds=0.1)


def test_a_request_by_a_rule_waits_as_long_as_the_failover_lets_it(play_asleep, row):
    async def scenario(stack, pools):
        waking = asyncio.create_task(wakes_after(stack, 0.05))
        assert (await stack.predict(row, headers=BETA)).json()["model_version"] == "1.2.0"
        await waking

    play_asleep(scenario)


def test_rows_that_do_not_fit_wake_nobody(play_asleep, row):
    async def scenario(stack, pools):
        refused = await stack.predict({**row, "Age": "many"}, model_version="1.2.0")
        assert refused.status_code == 422
        assert stack.pool(V3).described == 0

    play_asleep(scenario)


@either("known")
def test_nobody_asks_a_pool_that_sleeps_how_it_is(play_asleep, known):
    async def scenario(stack, pools):
        for _ in range(3):
            await pools.probe((stack.policy,))
        await pools.serve((stack.policy,))
        assert stack.pool(V3).described == 0

    play_asleep(scenario, known)


def test_a_pool_that_is_awake_is_asked_once_since_it_may_go_to_sleep_at_any_moment(play_asleep):
    async def scenario(stack, pools):
        stack.pool(V3).up.set()  # somebody else has woken it
        for _ in range(5):
            await pools.probe((stack.policy,))
        assert stack.pool(V3).described == 1
        assert not stack.scoring.endpoint("credit-risk").sleeps(V3)

    play_asleep(scenario)


def test_a_pool_that_did_not_answer_is_asked_again_while_it_is_awake(play_asleep):
    async def scenario(stack, pools):
        stack.pool(V3).up.set()
        stack.pool(V3).failures = [ConnectionError("down")]
        await pools.probe((stack.policy,))
        assert not stack.scoring.endpoint("credit-risk").versions[V3].ready
        await pools.probe((stack.policy,))
        assert stack.scoring.endpoint("credit-risk").versions[V3].ready

    play_asleep(scenario)


@either("known")
def test_it_is_shown_as_asleep_and_not_as_broken(play_asleep, known):
    async def scenario(stack, pools):
        readiness = (await stack.request("GET", "/ready")).json()
        (version,) = [one for one in readiness["endpoints"][0]["versions"] if one["version"] == "1.2.0"]
        assert version == {"version": "1.2.0", "stable": False, "ready": True, "asleep": True, "weight": 0.0}
        assert readiness["status"] == "ready"
        assert (await stack.request("GET", "/health")).json()["status"] == "healthy"
        ready = await stack.request("GET", "/v2/models/credit-risk/versions/1.2.0/ready")
        assert ready.status_code == 200
        await stack.request("GET", "/api/v1/models")
        assert stack.pool(V3).described == 0

    play_asleep(scenario, known)


def test_it_is_shown_as_awake_once_it_has_answered(play_asleep, row):
    async def scenario(stack, pools):
        stack.pool(V3).up.set()
        await stack.predict(row, model_version="1.2.0")
        versions = (await stack.request("GET", "/ready")).json()["endpoints"][0]["versions"]
        assert [one["asleep"] for one in versions] == [False, False, False]

    play_asleep(scenario)


def test_what_serve_does_not_say_leaves_everything_as_it_was(play_asleep, row):
    async def scenario(stack, pools):
        async def silent():
            raise TimeoutError

        pools._asleep = silent
        await pools.probe((stack.policy,))
        assert stack.scoring.endpoint("credit-risk").sleeps(V3)
        assert stack.pool(V3).described == 0
        assert (await stack.predict(row)).json()["model_version"] == "1.0.0"

    play_asleep(scenario)


def test_a_pool_that_cannot_come_up_is_told_and_asked_anew_by_the_next_request(play_asleep, row):
    async def scenario(stack, pools):
        stack.pool(V3).up.set()
        stack.pool(V3).failures = [ConnectionError("the application is gone")]
        refused = await stack.predict(row, model_version="1.2.0")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert (await stack.predict(row, model_version="1.2.0")).status_code == 200

    play_asleep(scenario)


def test_a_version_that_gets_weight_sleeps_no_more_for_the_gateway(play_asleep, row):
    async def scenario(stack, pools):
        stack.pool(V3).up.set()
        weighted = stack.policy.model_copy(
            update={"policy_epoch": 8, "slots": SlotTable.of({V1: 50, V3: 50}).runs}
        )
        stack.scoring.serve(await pools.serve((weighted,)))
        endpoint = stack.scoring.endpoint("credit-risk")
        assert (endpoint.sleepers, endpoint.versions[V3].ready) == ({}, True)

    play_asleep(scenario)


def test_an_error_that_a_pool_is_starting_survives_the_way_between_processes():
    told = pickle.loads(pickle.dumps(PoolStarting("credit_risk_v1.2.0")))
    assert (str(told), told.retry_after_seconds) == (str(PoolStarting("credit_risk_v1.2.0")), 5)
