"""What a shadow costs its callers: nothing."""

import asyncio

import pytest
from gateway_stack import V1, V3, until

from deployments.contracts.request_record import Stage
from deployments.contracts.traffic_policy import Shadow


class TestShadow:
    def test_a_copy_is_compared_with_what_the_caller_got(self, play, row):
        async def scenario(stack):
            stack.pool(V3).model = lambda columns: stack.pool(V1).model(columns)[:, ::-1]
            live = (await stack.predict({**row, "Income": 0.1})).json()
            counts = stack.counts(V3)
            await until(lambda: counts.shadow_rows == 1)
            assert live["model_version"] == "1.0.0"
            assert counts.shadow_disagreements == 1
            assert counts.shadow_difference_sum == pytest.approx(0.8)
            of_live, of_shadow = stack.records.requests
            assert (of_live.stage, of_shadow.stage) == (Stage.LIVE, Stage.SHADOW)
            assert of_live.prediction_ids == of_shadow.prediction_ids == [live["prediction_id"]]
            assert of_shadow.decision.served_version == "1.2.0"

        play(scenario, policy={"shadows": (Shadow(version=V3),)})

    def test_one_that_hangs_delays_nobody_and_is_dropped_when_full(self, play, row):
        async def scenario(stack):
            stack.pool(V3).gate = asyncio.Event()
            for _ in range(5):
                assert (await stack.predict(row)).status_code == 200
            assert stack.counts(V3).shadow_drops == {"full": 3}
            stack.pool(V3).gate.set()
            await until(lambda: stack.counts(V3).shadow_rows == 2)

        play(scenario, policy={"shadows": (Shadow(version=V3, max_rows_in_flight=2),)})

    def test_one_that_fails_is_counted_and_nothing_else(self, play, row):
        async def scenario(stack):
            stack.pool(V3).failures = [ConnectionError("down")] * 20
            assert (await stack.predict(row)).status_code == 200
            await until(lambda: stack.counts(V3).shadow_failed == 1)
            assert stack.counts(V3).requests == {}

        play(scenario, policy={"shadows": (Shadow(version=V3),)})

    def test_a_part_of_the_requests_is_copied(self, play, row):
        async def scenario(stack):
            for _ in range(4):
                await stack.predict(row, headers={"x-user-id": "ann"})
            await until(lambda: stack.counts(V3).shadow_rows == 2)

        # one draw for the split, which the unit makes idle, and one for the copy
        play(
            scenario,
            draws=[0, 0.1, 0, 0.6, 0, 0.49, 0, 0.5],
            policy={"shadows": (Shadow(version=V3, percent=50),)},
        )

    def test_a_request_that_is_larger_than_the_bound_is_dropped_by_name(self, play, row):
        async def scenario(stack):
            assert (await stack.predict([row, row, row])).status_code == 200
            assert stack.counts(V3).shadow_drops == {"too_large": 3}

        play(scenario, policy={"shadows": (Shadow(version=V3, max_rows_in_flight=2),)})

    def test_one_whose_pool_is_not_known_yet_is_dropped_by_name(self, play, row):
        async def scenario(stack):
            stack.pool(V3).failures = [ConnectionError("starting")] * 20
            await stack.start()  # anew: the pool has never said what it serves
            assert (await stack.predict(row)).status_code == 200
            assert stack.counts(V3).shadow_drops == {"not_ready": 1}

        play(scenario, policy={"shadows": (Shadow(version=V3),)})
