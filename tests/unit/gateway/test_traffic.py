"""Where requests go."""

import pytest
from gateway_stack import CANDIDATE, V2, V3

from deployments.access.access import Access
from deployments.access.caller import Caller
from deployments.access.roles import Role
from deployments.contracts.traffic_policy import Condition, Rule


def test_the_champion_answers_those_who_take_no_part(play, row):
    async def scenario(stack):
        by_split = await stack.predict(row, "/predict/ab")
        by_champion = await stack.predict(row, "/predict")
        assert (by_split.json()["model_version"], by_champion.json()["model_version"]) == ("1.1.0", "1.0.0")
        assert [record.decision.reason for record in stack.records.requests] == ["random", "champion"]

    play(scenario, draws=[CANDIDATE, CANDIDATE])


def test_a_rule_is_named_in_the_record(play, row):
    rule = Rule(name="beta", when=Condition(header={"x-cohort": "beta"}), version=V3)

    async def scenario(stack):
        answer = await stack.predict(row, headers={"x-cohort": "beta", "x-user-id": "ann"})
        assert answer.json()["model_version"] == "1.2.0"
        decision = stack.records.requests[0].decision
        assert (decision.reason, decision.rule, decision.propensity, decision.unit) == ("rule", "beta", 1.0, "ann")

    play(scenario, policy={"rules": (rule,)})


class TestPin:
    def test_a_caller_that_may_gets_the_version_it_asks_for(self, play, row):
        async def scenario(stack):
            answer = await stack.predict(row, model_version="1.1.0")
            assert answer.json()["model_version"] == "1.1.0"
            assert stack.records.requests[0].decision.reason == "pin"

        play(scenario)

    def test_it_is_not_given_another_one_when_that_one_is_down(self, play, row):
        async def scenario(stack):
            stack.pool(V2).failures = [ConnectionError("down")] * 20
            assert (await stack.predict(row, model_version="1.1.0")).status_code == 503

        play(scenario)

    def test_a_caller_that_may_not_is_told_so(self, play, row):
        class Predictor:
            def authenticate(self, headers, in_browser=False):
                return Caller.with_role("shop", Role.PREDICTOR, "key:1")

        async def scenario(stack):
            response = await stack.predict(row, model_version="1.1.0")
            assert (response.status_code, response.json()["code"]) == (403, "FORBIDDEN")
            assert (await stack.predict(row)).status_code == 200

        play(scenario, access=Access(Predictor()))

    @pytest.mark.parametrize(
        ("version", "status"),
        [
            pytest.param("9.9.9", 404, id="unknown"),
            pytest.param("latest", 422, id="no-version"),
            pytest.param(1, 422, id="no-text"),
        ],
    )
    def test_a_version_that_is_none_is_refused(self, play, row, version, status):
        async def scenario(stack):
            assert (await stack.predict(row, model_version=version)).status_code == status

        play(scenario)
