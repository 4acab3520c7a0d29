import pytest
from gateway_snapshots import KEY, counts, snapshot

from monitoring.window import Retention, Window


def heard(*messages, retention=None):
    window = Window(retention=retention or Retention())
    for sent, at in messages:
        window = window.after(sent, at)
    return window


def answered(window):
    return window.totals().versions[KEY].requests["OK"]


def test_the_latest_snapshot_of_a_gateway_replaces_its_earlier_ones():
    window = heard((snapshot("a", 1, {KEY: counts(10)}), 0), (snapshot("a", 2, {KEY: counts(25)}), 1))
    assert answered(window) == 25


@pytest.mark.parametrize("late", [pytest.param(1, id="older"), pytest.param(2, id="repeated")])
def test_a_snapshot_that_was_overtaken_is_ignored(late):
    window = heard((snapshot("a", 2, {KEY: counts(25)}), 0))
    assert window.after(snapshot("a", late, {KEY: counts(10)}), 1) is window


def test_gateways_are_added_up_in_every_figure():
    one, two = counts(3, errors={"OVERLOADED": 2}, labels={"good": 3}), counts(4, labels={"good": 1, "bad": 3})
    total = heard((snapshot("a", 1, {KEY: one}), 0), (snapshot("b", 1, {KEY: two}), 0)).totals().versions[KEY]
    assert total.requests == {"OK": 7, "OVERLOADED": 2}
    assert total.labels == {"good": 4, "bad": 3}
    assert sum(total.latency_counts) == 9
    assert (total.rows, total.latency_sum, total.model_seconds) == (7, pytest.approx(0.09), pytest.approx(0.007))


def test_a_restarted_gateway_counts_on_from_what_its_earlier_incarnation_counted():
    window = heard((snapshot("a#1", 900, {KEY: counts(100)}), 0), (snapshot("a#2", 1, {KEY: counts(1)}), 1))
    assert answered(window) == 101


def test_a_gateway_that_is_silent_for_long_is_folded_and_its_counts_stay():
    window = heard((snapshot("a"), 0), retention=Retention(silent_seconds=60))
    window = window.after(snapshot("b", 1, {KEY: counts(5)}), 61)
    assert set(window.latest) == {"b"}
    assert answered(window) == 6


def test_memory_is_bounded_when_gateways_restart_without_end():
    window = heard(
        *((snapshot(f"incarnation-{n}"), n) for n in range(50)),
        retention=Retention(incarnations=4, folded_names=10),
    )
    assert (len(window.latest), len(window.folded)) == (4, 10)
    assert answered(window) == 50


def test_a_folded_gateway_that_speaks_again_is_not_counted_twice():
    window = heard((snapshot("a", 1, {KEY: counts(100)}), 0), retention=Retention(silent_seconds=60))
    window = window.after(snapshot("b", 1, {KEY: counts(1)}), 61)
    window = window.after(snapshot("a", 2, {KEY: counts(130)}), 62)
    assert answered(window) == 101, "what it counted while silent is not told apart from what is in the base"
    assert answered(window.after(snapshot("a", 3, {KEY: counts(140)}), 63)) == 111


def test_totals_never_go_down_over_a_life_of_restarts_and_silences():
    window, before = Window(retention=Retention(silent_seconds=5, incarnations=3)), 0
    for second in range(60):
        gateway = f"g{second % 7}-{second // 25}"
        window = window.after(snapshot(gateway, second + 1, {KEY: counts(second)}), second)
        assert answered(window) >= before
        before = answered(window)


def test_a_reader_keeps_the_state_it_took():
    taken = heard((snapshot("a", 1, {KEY: counts(1)}), 0))
    taken.after(snapshot("a", 2, {KEY: counts(2)}), 1)
    taken.totals().versions[KEY].requests["OK"] = 999
    assert answered(taken) == 1


def test_live_gateways_are_those_heard_of_within_five_seconds():
    window = heard((snapshot("old"), 0), (snapshot("fresh"), 4))
    assert [each.snapshot.gateway for each in window.live(now=5)] == ["fresh", "old"]
    assert [each.snapshot.gateway for each in window.live(now=5.1)] == ["fresh"]


def test_age_is_that_of_the_last_word_of_any_gateway():
    assert Window().age(now=7) is None
    assert heard((snapshot("a"), 0), (snapshot("b"), 4)).age(now=7) == 3
