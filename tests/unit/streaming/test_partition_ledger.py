from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.streaming.partition_ledger import PartitionLedger


def test_the_position_stays_at_the_first_record_that_is_not_out():
    ledger = PartitionLedger()
    assert ledger.position is None
    for offset in (5, 6, 9):
        ledger.read(offset, None)
    ledger.acknowledged(6)
    assert ledger.position == 5
    ledger.acknowledged(5)
    assert ledger.position == 9
    ledger.acknowledged(9)
    assert (ledger.position, len(ledger)) == (10, 0)


def test_records_of_one_key_begin_one_after_the_other_and_others_at_once():
    ledger = PartitionLedger()
    assert ledger.read(0, b"ada")
    assert not ledger.read(1, b"ada")
    assert ledger.read(2, b"bob")
    assert ledger.read(3, None)
    assert ledger.sent(b"bob") is None
    assert ledger.sent(b"ada") == 1
    assert ledger.sent(b"ada") is None
    assert ledger.read(4, b"ada")


def test_an_offset_that_goes_back_is_a_mistake_of_the_caller():
    ledger = PartitionLedger()
    ledger.read(7, None)
    with pytest.raises(ValueError, match="offset 7 was read after 7"):
        ledger.read(7, None)


@given(
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from([None, b"a", b"b", b"c"])), max_size=40), st.randoms()
)
def test_whatever_the_order_of_answers_keys_keep_theirs_and_nothing_is_committed_too_early(steps, choice):
    """Gaps between offsets, answers and acknowledgements in any order."""
    ledger, offset, arrivals = PartitionLedger(), -1, deque()
    for gap, key in steps:
        offset += gap
        arrivals.append((offset, key))
    keys = dict(arrivals)
    begun, unacknowledged, sent, out = set(), set(), [], set()
    while arrivals or begun or unacknowledged:
        moves = [move for move, there in (("read", arrivals), ("send", begun), ("ack", unacknowledged)) if there]
        move = choice.choice(moves)
        if move == "read":
            place, key = arrivals.popleft()
            if ledger.read(place, key):
                begun.add(place)
        elif move == "send":
            place = choice.choice(sorted(begun))
            begun.remove(place)
            sent.append(place)
            unacknowledged.add(place)
            following = ledger.sent(keys[place])
            if following is not None:
                begun.add(following)
        else:
            place = choice.choice(sorted(unacknowledged))
            unacknowledged.remove(place)
            ledger.acknowledged(place)
            out.add(place)
        if ledger.position is not None:
            assert all(place in out for place in keys if place < ledger.position)
    for key in set(keys.values()) - {None}:
        of_key = [place for place in sent if keys[place] == key]
        assert of_key == sorted(of_key)
    assert sorted(sent) == sorted(keys)
    assert ledger.position == (offset + 1 if keys else None)
