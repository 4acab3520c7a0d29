"""What happens when a version cannot answer."""

import asyncio

from gateway_stack import CANDIDATE, V1, V2


def test_a_candidate_that_cannot_answer_falls_back_to_stable(play, row):
    async def scenario(stack):
        stack.pool(V2).failures = [ConnectionError("down")] * 20
        answer = (await stack.predict(row)).json()
        assert (answer["model_version"], answer["failover_from"]) == ("1.0.0", "1.1.0")
        assert stack.counts(V2).failovers == {"MODEL_UNAVAILABLE": 1}
        assert stack.counts(V2).requests == {"MODEL_UNAVAILABLE": 1}
        assert stack.counts(V1).requests == {"OK": 1}
        (record,) = stack.records.requests
        decision = record.decision
        assert (decision.assigned_version, decision.served_version) == ("1.1.0", "1.0.0")
        assert decision.failover == "MODEL_UNAVAILABLE"

    play(scenario, draws=[CANDIDATE])


def test_a_candidate_that_hangs_falls_back_within_the_deadline(play, row):
    async def scenario(stack):
        stack.pool(V2).gate = asyncio.Event()
        answer = (await stack.predict(row)).json()
        assert (answer["model_version"], answer["failover_from"]) == ("1.0.0", "1.1.0")
        assert stack.counts(V2).failovers == {"DEADLINE_EXCEEDED": 1}

    play(scenario, draws=[CANDIDATE], deadline_seconds=0.3, attempt_seconds=0.3)


def test_nobody_waits_for_a_pool_that_is_known_not_to_answer(play, row):
    async def scenario(stack):
        for version in (V1, V2):
            stack.pool(version).failures = [ConnectionError("down")] * 20
        first, second = await stack.predict(row), await stack.predict(row)
        assert (first.status_code, second.status_code) == (503, 503)
        assert int(second.headers["retry-after"]) > 0
        # The first request tried as often as the limits say; the second did not try.
        assert len(stack.pool(V1).calls) == 4

    play(scenario)


def test_a_models_own_error_is_no_reason_to_ask_another_version(play, row):
    async def scenario(stack):
        stack.pool(V2).row_errors = {"fixed": "model_error"}
        response = await stack.predict(row)
        assert (response.status_code, response.json()["code"]) == (500, "MODEL_ERROR")
        assert stack.counts(V2).failovers == {}

    play(scenario, draws=[CANDIDATE])
