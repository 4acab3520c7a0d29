import pytest
from gateway_snapshots import snapshot

from deployments.contracts.distributions import Distributions, FeatureCounts
from deployments.contracts.snapshot import GatewaySnapshot
from monitoring.errors import InvalidLimits
from monitoring.sliding import Point, Sliding, Span, joined
from monitoring.window import Retention, Window

KEY = ("credit_risk", "1.0.0", "d" * 64)


def counted(rows):
    return Distributions(rows, {"Age": FeatureCounts([rows, 0], nulls=1)}, [0, rows])


def told(gateway, sequence, rows):
    plain = snapshot(gateway, sequence).to_plain()
    return GatewaySnapshot.from_plain(
        {
            **plain,
            "distributions": [{"model": KEY[0], "version": KEY[1], "digest": KEY[2], **counted(rows).to_plain()}],
        }
    )


def rows(observed):
    return observed[KEY].rows


def test_counts_of_several_gateways_add_up():
    window = Window().after(told("a", 1, 30), 0).after(told("b", 1, 12), 0).after(told("a", 2, 40), 1)
    assert window.observed()[KEY].features["Age"].cells == [52, 0]
    assert window.observed()[KEY].score == [0, 52]


def test_a_gateway_that_has_counted_before_the_monitor_listened_counts_from_then_on():
    window = Window().after(told("a", 500, 9000), 0)
    assert rows(window.observed()) == 0
    assert rows(window.after(told("a", 501, 9010), 1).observed()) == 10


def test_a_gateway_that_is_gone_for_good_stays_in_what_was_observed():
    window = Window(retention=Retention(silent_seconds=10))
    window = window.after(told("a", 1, 30), 0).after(told("a", 2, 50), 1).after(told("b", 1, 7), 100)
    assert "a" not in window.latest
    assert rows(window.observed()) == 57


def test_a_window_holds_the_rows_of_its_length_and_no_older_ones():
    sliding = Sliding(Span(seconds=60, step_seconds=10))
    for now in range(0, 200, 5):
        sliding = sliding.after(now, {KEY: counted(now)})
    assert rows(sliding.counted({KEY: counted(200)})) == 200 - 130
    assert len(sliding.points) <= 60 / 10 + 2


def test_shortly_after_a_start_the_window_holds_everything():
    sliding = Sliding(Span(60, 10)).after(0, {KEY: counted(5)})
    assert rows(sliding.counted({KEY: counted(8)})) == 8


def test_a_version_without_new_rows_has_an_empty_window():
    sliding = Sliding(Span(60, 10)).after(0, {})
    for now in (10, 80, 150):
        sliding = sliding.after(now, {KEY: counted(20)})
    assert rows(sliding.counted({KEY: counted(20)})) == 0


def test_a_step_longer_than_the_window_is_refused_by_name():
    with pytest.raises(InvalidLimits, match="step_seconds is 90"):
        Span(60, 90)


def test_rows_that_are_recalled_count_until_they_are_too_old():
    sliding = Sliding(Span(60, 10)).after(100, {}).after(110, {KEY: counted(5)})
    past = [Point(40, {}), Point(70, {KEY: counted(20)}), Point(100, {KEY: counted(50)})]
    recalled = sliding.preceded_by(past)

    def counted_at(now, new):
        observed = joined({KEY: counted(new)}, past[-1].observed)
        return rows(recalled.after(now, observed).counted(observed))

    assert counted_at(100, 5) == 55
    assert counted_at(131, 7) == 37, "the first 20 are older than a minute"
    assert counted_at(161, 9) == 9


def test_nothing_recalled_changes_nothing():
    sliding = Sliding(Span(60, 10)).after(100, {})
    assert sliding.preceded_by([]) == sliding
