from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from deployments.contracts.model_version import Version
from deployments.routing.assignment import AssignmentReason, assign, slot_of
from deployments.routing.slot_table import SLOTS, SlotTable

V1, V2 = Version.parse("1.0.0"), Version.parse("1.1.0")
CANARY = SlotTable.of({V1: 90, V2: 10})


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
