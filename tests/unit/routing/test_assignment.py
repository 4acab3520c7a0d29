from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import Condition, Rule, StickyBy
from deployments.routing.assignment import AssignmentReason, Routes, slot_of
from deployments.routing.slot_table import SLOTS, SlotTable

V1, V2 = Version.parse("1.0.0"), Version.parse("1.1.0")
CANARY = SlotTable.of({V1: 90, V2: 10})
BETA = Rule(name="beta", when=Condition(header={"X-Cohort": "beta"}), version=V2)


def assign(table, unit, salt, draw):
    """Assign a request that names its unit, if it has one, in a header."""
    headers = {} if unit is None else {"x-user-id": unit}
    return Routes(table, salt, V1, StickyBy(header="X-User-Id")).assign(headers.get, {}, draw)


def test_a_unit_keeps_its_version_whatever_is_drawn():
    versions = {assign(CANARY, "user-17", "salt", draw / 10).version for draw in range(10)}
    assert len(versions) == 1


def test_a_unit_that_got_the_candidate_keeps_it_while_its_weight_rises():
    tables = [CANARY]
    for weight in (25, 50, 100):
        tables.append(tables[-1].reweighted({V1: 100 - weight, V2: weight}))
    early = [f"user-{n}" for n in range(500) if assign(CANARY, f"user-{n}", "s", 0.0).version == V2]
    assert early
    assert all(assign(table, unit, "s", 0.0).version == V2 for table in tables for unit in early)


def test_units_are_spread_as_the_weights_say():
    # 20,000 draws of 0.1: the standard deviation is 42, five of them are allowed
    counts = Counter(assign(CANARY, f"user-{n}", "salt", 0.0).version for n in range(20_000))
    assert abs(counts[V2] - 2000) < 212


def test_another_salt_shuffles_the_units():
    moved = sum(slot_of(f"user-{n}", "one") != slot_of(f"user-{n}", "two") for n in range(1000))
    assert moved > 990


def test_a_slot_is_the_same_on_every_machine_and_in_every_release():
    assert slot_of("user-17", "credit-risk") == 8844


@given(st.floats(0, 1, exclude_max=True))
def test_without_a_unit_the_draw_decides(draw):
    assignment = assign(CANARY, None, "salt", draw)
    assert assignment.reason is AssignmentReason.RANDOM
    assert assignment.version == (V1 if int(draw * SLOTS) < 9000 else V2)


def test_an_assignment_carries_the_probability_with_which_it_was_made():
    assert assign(CANARY, None, "salt", 0.95).propensity == 0.1
    assert assign(CANARY, None, "salt", 0.1).propensity == 0.9


@given(st.text())
def test_any_text_can_be_a_unit(unit):
    assert 0 <= slot_of(unit, "salt") < SLOTS


@pytest.fixture
def routes():
    """Routes with rules over the canary's table."""

    def make(*rules, sticky=None):
        return Routes(CANARY, "salt", V1, sticky, tuple(rules))

    return make


def test_a_rule_comes_before_the_split(routes):
    assignment = routes(BETA).assign({"x-cohort": "beta"}.get, {}, draw=0.0)
    assert (assignment.version, assignment.reason, assignment.rule) == (V2, AssignmentReason.RULE, "beta")
    assert assignment.propensity == 1.0


def test_the_first_rule_that_matches_decides(routes):
    back = Rule(name="back", when=Condition(header={"x-cohort": "beta"}), version=V1)
    assert routes(back, BETA).assign({"x-cohort": "beta"}.get, {}, 0.99).rule == "back"


def test_a_request_that_no_rule_takes_is_split(routes):
    assert routes(BETA).assign({"x-cohort": "alpha"}.get, {}, 0.0).reason is AssignmentReason.RANDOM


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        pytest.param(Condition(feature={"Age": 30}), True, id="a-number-by-value"),
        pytest.param(Condition(feature={"Age": 31}), False, id="another-number"),
        pytest.param(Condition(feature={"Owner": 1}), False, id="true-is-not-1"),
        pytest.param(Condition(feature={"Owner": True, "Job": "fixed"}), True, id="all-features"),
        pytest.param(Condition(feature={"Owner": True, "Job": "free"}), False, id="one-feature-of-two"),
        pytest.param(Condition(feature={"Nothing": "x"}), False, id="an-absent-feature"),
        pytest.param(Condition(units=("ann", "bob")), True, id="one-of-the-units"),
        pytest.param(Condition(units=("bob",)), False, id="none-of-the-units"),
        pytest.param(Condition(units=("ann",), header={"x-cohort": "beta"}), False, id="unit-without-header"),
    ],
)
def test_a_condition_holds_when_all_of_it_does(routes, condition, matches):
    rule = Rule(name="rule", when=condition, version=V2)
    row = {"Age": 30.0, "Owner": True, "Job": "fixed"}
    assignment = routes(rule, sticky=StickyBy(header="x-user-id")).assign({"x-user-id": "ann"}.get, row, 0.0)
    assert (assignment.reason is AssignmentReason.RULE) == matches


def test_a_feature_can_be_the_unit(routes):
    by_feature = routes(sticky=StickyBy(feature="customer"))
    assert by_feature.assign({}.get, {"customer": 17}, 0.0).unit == "17"
    assert by_feature.assign({}.get, {"customer": ["x"]}, 0.0).reason is AssignmentReason.RANDOM


@pytest.mark.parametrize(
    ("sent", "unit"), [(17, "17"), (17.0, "17"), (-0.0, "0"), (17.5, "17.5"), (1e22, f"{10**22}")]
)
def test_a_whole_number_is_one_unit_however_it_is_written(routes, sent, unit):
    by_feature = routes(sticky=StickyBy(feature="customer"))
    assert by_feature.assign({}.get, {"customer": sent}, 0.0).unit == unit


def test_callers_outside_of_experiments_get_the_champion(routes):
    assignment = routes(BETA).champion({"x-cohort": "beta"}.get, {})
    assert (assignment.version, assignment.reason) == (V1, AssignmentReason.CHAMPION)


def test_a_pinned_version_is_recorded_as_the_callers_choice(routes):
    assignment = routes().pinned(V2, {}.get, {})
    assert (assignment.version, assignment.reason, assignment.propensity) == (V2, AssignmentReason.PIN, 1.0)
