from datetime import UTC, datetime, timedelta

import pytest

from deployments.access import limits
from deployments.access.caller import Caller
from deployments.access.errors import QuotaExceeded, RateLimited
from deployments.access.limits import RateLimits, RowQuotas
from deployments.access.policy import CallLimits
from deployments.access.roles import Role

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = CallLimits.model_validate(
    {
        "roles": {"predictor": {"requestsPerSecond": 10, "burst": 20, "rowsPerDay": 1000}},
        "callers": {"batch": {"requestsPerSecond": 1, "burst": 2, "rowsPerDay": 10}},
    }
)
LIMITS_BY_ROLE = CallLimits.model_validate(
    {
        "roles": {
            "predictor": {"requestsPerSecond": 10, "burst": 20},
            "viewer": {"requestsPerSecond": 1, "burst": 2},
        }
    }
)


def caller(name="checkout", role=Role.PREDICTOR):
    return Caller.with_role(name, role, "key:1")


def taken(rates, who, clock, attempts=1000):
    """How many of many requests at one moment pass."""
    for number in range(attempts):
        try:
            rates.take(who, clock)
        except RateLimited:
            return number
    return attempts


@pytest.mark.parametrize(
    ("who", "burst"),
    [
        pytest.param(caller(), 20, id="limit-of-its-role"),
        pytest.param(caller("batch"), 2, id="limit-of-its-own"),
        pytest.param(caller(role=Role.OPERATOR), 1000, id="no-limit"),
    ],
)
def test_a_burst_passes_and_no_more(who, burst):
    assert taken(RateLimits(LIMITS), who, clock=100.0) == burst


def test_the_bucket_fills_at_the_callers_rate_and_no_higher_than_the_burst():
    rates = RateLimits(LIMITS)
    taken(rates, caller(), clock=100.0)
    assert taken(rates, caller(), clock=100.5) == 5
    assert taken(rates, caller(), clock=1000.0) == 20


def test_over_a_minute_a_caller_gets_its_rate_and_one_burst():
    rates = RateLimits(LIMITS)
    assert sum(taken(rates, caller(), clock=100 + step / 100) for step in range(6000)) == pytest.approx(620, abs=1)


def test_a_refusal_says_when_the_next_request_passes():
    rates = RateLimits(LIMITS)
    taken(rates, caller("batch"), clock=100.0)
    with pytest.raises(RateLimited) as refused:
        rates.take(caller("batch"), 100.25)
    assert refused.value.retry_after_seconds == pytest.approx(0.75)
    rates.take(caller("batch"), 101.0)


def test_the_limit_of_the_present_credential_counts_not_that_of_the_first():
    rates = RateLimits(LIMITS_BY_ROLE)
    assert taken(rates, caller(role=Role.PREDICTOR), clock=100.0) == 20
    assert taken(rates, caller(role=Role.VIEWER), clock=200.0) == 2
    assert taken(rates, caller(role=Role.OPERATOR), clock=200.0) == 1000
    assert taken(rates, caller(role=Role.PREDICTOR), clock=300.0) == 20


def test_two_credentials_by_turns_get_a_caller_no_more_than_the_larger_limit():
    rates, passed = RateLimits(LIMITS_BY_ROLE), 0
    for step in range(1000):
        role = Role.PREDICTOR if step % 2 else Role.VIEWER
        passed += taken(rates, caller(role=role), clock=100.0 + step / 1000)
    assert 20 <= passed <= 20 + 10


def test_callers_do_not_take_from_each_other():
    rates = RateLimits(LIMITS)
    taken(rates, caller("one"), clock=100.0)
    assert taken(rates, caller("two"), clock=100.0) == 20


def test_gateways_share_a_limit():
    rates = RateLimits(LIMITS)
    rates.share_among(4)
    assert taken(rates, caller(), clock=100.0) == 5
    assert taken(rates, caller(), clock=101.0) == 2


def test_however_small_its_share_a_caller_is_not_shut_out():
    rates = RateLimits(LIMITS)
    rates.share_among(100)
    assert taken(rates, caller("batch"), clock=100.0) == 1
    assert taken(rates, caller("batch"), clock=200.0) == 1


def test_idle_callers_are_forgotten_first(monkeypatch):
    monkeypatch.setattr(limits, "REMEMBERED_CALLERS", 10)
    rates = RateLimits(LIMITS)
    for number in range(9):
        rates.take(caller(f"idle-{number}"), 100.0)
    taken(rates, caller("busy"), clock=110.0)
    rates.take(caller("newcomer"), 110.0)
    assert taken(rates, caller("busy"), clock=110.0) == 0
    assert len(rates._buckets) == 2


def test_the_number_of_remembered_callers_is_bounded_even_when_all_are_busy(monkeypatch):
    monkeypatch.setattr(limits, "REMEMBERED_CALLERS", 10)
    rates = RateLimits(LIMITS)
    for number in range(1000):
        rates.take(caller(f"caller-{number}"), 100.0)
        assert len(rates._buckets) <= 10


def test_rows_of_a_day_are_counted_and_more_are_refused_until_the_next():
    quotas = RowQuotas(LIMITS)
    quotas.take(caller("batch"), 7, NOON)
    with pytest.raises(
        QuotaExceeded, match="batch may send 10 rows a day here; 3 are left until 00:00 UTC"
    ) as refused:
        quotas.take(caller("batch"), 4, NOON)
    assert refused.value.retry_after_seconds == 12 * 3600
    quotas.take(caller("batch"), 3, NOON)
    quotas.take(caller("batch"), 10, NOON + timedelta(hours=12))


def test_a_clock_that_was_wrong_for_a_moment_shuts_nobody_out():
    quotas = RowQuotas(LIMITS)
    quotas.take(caller("batch"), 10, NOON + timedelta(days=3650))
    quotas.take(caller("batch"), 10, NOON)


def test_gateways_share_a_quota():
    quotas = RowQuotas(LIMITS)
    quotas.share_among(2)
    quotas.take(caller("batch"), 5, NOON)
    with pytest.raises(QuotaExceeded):
        quotas.take(caller("batch"), 1, NOON)


def test_without_a_quota_rows_are_not_counted():
    RowQuotas(CallLimits()).take(caller(), 10**9, NOON)


def test_the_number_of_counted_callers_is_bounded(monkeypatch):
    monkeypatch.setattr(limits, "REMEMBERED_CALLERS", 10)
    quotas = RowQuotas(LIMITS)
    for number in range(100):
        quotas.take(caller(f"caller-{number}"), 1, NOON)
    assert len(quotas._used) == 10
