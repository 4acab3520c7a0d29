import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.contracts.model_version import Version
from deployments.routing.slot_table import SLOTS, SlotTable, slot_counts

V1, V2, V3 = (Version.parse(text) for text in ("1.0.0", "1.9.0", "1.10.0"))


def weightings(count: int) -> st.SearchStrategy[dict[Version, float]]:
    """Weights of up to ``count`` versions in hundredths of a per cent, some of them zero."""
    cuts = st.lists(st.integers(0, SLOTS), min_size=count - 1, max_size=count - 1).map(sorted)
    return cuts.map(
        lambda inner: {
            Version(1, number, 0): (after - before) / 100
            for number, (before, after) in enumerate(zip([0, *inner], [*inner, SLOTS], strict=True))
        }
    )


def owned(table: SlotTable) -> dict[Version, int]:
    return {version: round(share * SLOTS) for version, share in table.shares.items()}


def test_a_ninety_ten_split_owns_nine_thousand_and_one_thousand_slots():
    assert owned(SlotTable.of({V1: 90, V2: 10})) == {V1: 9000, V2: 1000}


def test_thirds_are_divided_by_the_largest_remainder_and_nothing_is_lost():
    counts = slot_counts({V1: 100 / 3, V2: 100 / 3, V3: 100 / 3})
    assert sorted(counts.values()) == [3333, 3333, 3334]


@pytest.mark.parametrize(
    "weights",
    [
        pytest.param({V1: 90}, id="too-little"),
        pytest.param({V1: 110, V2: -10}, id="negative"),
        pytest.param({}, id="nothing"),
    ],
)
def test_weights_that_do_not_add_up_are_refused(weights):
    with pytest.raises(ValueError, match="100"):
        slot_counts(weights)


def test_a_rising_weight_never_takes_a_slot_back_from_the_candidate():
    ten = SlotTable.of({V1: 90, V2: 10})
    fifty = ten.reweighted({V1: 50, V2: 50})
    candidates = [slot for slot, owner in enumerate(ten.owners) if owner == V2]
    assert all(fifty.owners[slot] == V2 for slot in candidates)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6).flatmap(lambda count: st.tuples(weightings(count), weightings(count))))
def test_a_change_of_weights_moves_the_fewest_slots_for_two_to_six_versions(pair):
    before, after = pair
    old, new = SlotTable.of(before), SlotTable.of(before).reweighted(after)
    was, wanted = slot_counts(before), slot_counts(after)
    moved = sum(1 for one, other in zip(old.owners, new.owners, strict=True) if one != other)
    assert owned(new) == {version: count for version, count in wanted.items() if count}
    assert moved == sum(max(0, wanted[version] - was[version]) for version in wanted)


def test_a_version_that_is_added_takes_slots_and_one_that_is_dropped_gives_all_of_them():
    table = SlotTable.of({V1: 90, V2: 10}).reweighted({V1: 80, V3: 20})
    assert owned(table) == {V1: 8000, V3: 2000}


def test_runs_that_do_not_own_every_slot_are_refused():
    with pytest.raises(ValueError, match="9999"):
        SlotTable(((V1, 9999),))
