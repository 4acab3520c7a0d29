import pytest

from deployments.gateway.pace import Pace


def settled(fixed, per_row, calls=60):
    """Sizes of calls in a row, each as large as allowed, to a pool of the given costs in seconds."""
    pace, sizes = Pace(), []
    for _ in range(calls):
        sizes.append(pace.rows_within(0.1, 256) if sizes else 1)
        pace.observe(sizes[-1], fixed + per_row * sizes[-1])
    return pace, sizes


@pytest.mark.parametrize(
    ("fixed", "per_row", "most"),
    [
        pytest.param(0.0, 0.005, 20, id="rows-cost"),
        pytest.param(0.004, 0.0001, 256, id="both-are-cheap"),
        pytest.param(0.06, 0.0001, 256, id="calls-cost"),
        pytest.param(0.3, 0.01, 30, id="a-call-costs-more-than-is-allowed"),
        pytest.param(0.0, 0.5, 1, id="one-row-costs-more-than-is-allowed"),
    ],
)
def test_calls_grow_to_what_is_worth_their_price(fixed, per_row, most):
    _, sizes = settled(fixed, per_row)
    usual = sorted(sizes[20:])[len(sizes[20:]) // 2]
    assert 0.85 * most <= usual <= 1.15 * most
    assert max(sizes[20:]) <= max(2, 1.5 * most)


def test_one_call_that_stalls_makes_the_next_ones_hardly_smaller():
    pace, sizes = settled(0.004, 0.0001)
    pace.observe(sizes[-1], 5.0)
    assert pace.rows_within(0.1, 256) > 100


def test_a_pool_that_is_not_known_yet_is_given_what_there_is():
    assert Pace().rows_within(0.1, 256) == 256


def test_a_call_is_strangely_long_after_twenty_times_what_it_should_take_but_not_before_half_a_second():
    slow, _ = settled(0.1, 0.0)
    fast, _ = settled(0.001, 0.0)
    assert slow.patience_seconds(1, at_most=3.0) == pytest.approx(2.0, rel=0.1)
    assert fast.patience_seconds(1, at_most=3.0) == 0.5
    assert Pace().patience_seconds(1, at_most=3.0) == 3.0
