"""What a bandit learns from: how the draws of its own ended, each once."""

import pytest
from gateway_stack import CANDIDATE, V1, V2, V3

from deployments.contracts import prediction_id
from deployments.contracts.traffic_policy import Bandit, Condition, Rule
from deployments.gateway import bandit_weights
from deployments.routing.slot_table import SlotTable

BANDIT = {"bandit": Bandit(floor=5)}


async def judge(stack, predicted, value):
    feedback = {"prediction_id": predicted, "value": float(value)}
    assert (await stack.request("POST", "/api/v1/feedback", json=feedback)).status_code == 200


def outcomes(stack, version):
    counts = stack.counts(version)
    return counts.feedback_successes, counts.feedback_failures


def test_feedback_moves_the_weights_and_only_between_the_arms(play, row):
    async def scenario(stack):
        for value in (0, 1):
            await judge(stack, (await stack.predict(row)).json()["prediction_id"], value)
        assert (outcomes(stack, V1), outcomes(stack, V2)) == ((0, 1), (1, 0))
        endpoint = stack.scoring.endpoint("credit-risk")
        totals = {("credit_risk", "1.0.0"): (50, 950), ("credit_risk", "1.1.0"): (90, 910)}
        assert bandit_weights.moved(endpoint, totals).shares == {V1: 0.05, V2: 0.95}

    play(scenario, draws=[0.0, CANDIDATE], policy=BANDIT)


def test_a_prediction_is_one_draw_however_much_is_said_of_it(play, row):
    async def scenario(stack):
        predicted = (await stack.predict(row)).json()["prediction_id"]
        for value in (1, 0, 0.7, 2):
            await judge(stack, predicted, value)
        assert outcomes(stack, V1) == (1, 0)
        assert stack.counts(V1).feedback == len(stack.records.feedbacks) == 4

    play(scenario, policy=BANDIT)


@pytest.mark.parametrize("unit", [None, "ann"], ids=["random", "sticky"])
def test_what_the_split_chose_counts(play, row, unit):
    async def scenario(stack):
        answer = await stack.predict(row, headers={"x-user-id": unit} if unit else None)
        await judge(stack, answer.json()["prediction_id"], 1)
        assert sum(sum(outcomes(stack, version)) for version in (V1, V2)) == 1

    play(scenario, policy=BANDIT)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"model_version": "1.1.0"}, id="pin"),
        pytest.param({"headers": {"x-cohort": "beta"}}, id="rule"),
        pytest.param({"path": "/predict"}, id="champion"),
    ],
)
def test_what_was_chosen_otherwise_is_kept_and_does_not_count(play, row, how):
    rule = Rule(name="beta", when=Condition(header={"x-cohort": "beta"}), version=V2)

    async def scenario(stack):
        await judge(stack, (await stack.predict(row, **how)).json()["prediction_id"], 1)
        assert (outcomes(stack, V1), outcomes(stack, V2)) == ((0, 0), (0, 0))
        assert stack.counts(V1).feedback + stack.counts(V2).feedback == 1
        assert stack.records.feedbacks[0].version in ("1.0.0", "1.1.0")

    play(scenario, policy={**BANDIT, "rules": (rule,)})


def test_an_answer_in_anothers_place_is_no_draw_of_stables(play, row):
    async def scenario(stack):
        stack.pool(V2).failures = [ConnectionError("down")] * 20
        answer = (await stack.predict(row)).json()
        assert answer["failover_from"] == "1.1.0"
        await judge(stack, answer["prediction_id"], 1)
        assert (outcomes(stack, V1), outcomes(stack, V2)) == ((0, 0), (0, 0))

    play(scenario, draws=[CANDIDATE], policy=BANDIT)


def test_a_prediction_of_a_release_that_did_not_tell_is_no_draw(play):
    async def scenario(stack):
        await judge(stack, prediction_id.make(prediction_id.tag_of("credit-risk", V1)), 1)
        assert (outcomes(stack, V1), stack.counts(V1).feedback) == ((0, 0), 1)

    play(scenario, policy=BANDIT)


@pytest.mark.parametrize("floor", [0.001, 0.1, 1.05, 3.3, 3.333, 33.3])
def test_weights_settle_whatever_the_floor(play, floor):
    async def scenario(stack):
        totals = {("credit_risk", "1.0.0"): (50, 950), ("credit_risk", "1.1.0"): (60, 910)}
        once = bandit_weights.moved(stack.scoring.endpoint("credit-risk"), totals)
        assert bandit_weights.moved(once, totals) is once

    thirds = SlotTable.of({V1: 40, V2: 30, V3: 30}).runs
    play(scenario, policy={"bandit": Bandit(floor=floor), "slots": thirds})


def test_one_arm_that_is_left_by_hand_is_let_alone(play):
    async def scenario(stack):
        endpoint = stack.scoring.endpoint("credit-risk")
        assert bandit_weights.moved(endpoint, {}) is endpoint

    play(scenario, policy={**BANDIT, "slots": SlotTable.of({V2: 100}).runs})
