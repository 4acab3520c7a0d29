"""A gateway whose clock is wrong: what is counted in seconds goes on, what ends by the calendar comes back."""

from datetime import UTC, datetime, timedelta

import pytest

from deployments.access import key_life
from deployments.access.access import Access
from deployments.access.authentication import Authenticator
from deployments.access.key_life import Actor
from deployments.access.key_store import MemoryKeyStore
from deployments.access.known_keys import KnownKeys
from deployments.access.policy import CallLimits
from deployments.access.roles import Role

RIGHT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Actor("ada@workshop", "command-line")
YEARS = timedelta(days=3650)


class SkewedGateway:
    """Access control of a gateway by a calendar that can be wrong and a stopwatch that stands still."""

    def __init__(self, limits=None):
        self.skew, self.store = timedelta(0), MemoryKeyStore()
        self.minted = key_life.create(self.store, "shop", Role.PREDICTOR, ADA, RIGHT)
        self.known = KnownKeys(self.store, 60, self.now, lambda: 0.0)
        limits = CallLimits.model_validate({"callers": {"shop": limits or {}}})
        self.access = Access(Authenticator(self.known), limits, keys=self.known, now=self.now, clock=lambda: 0.0)
        self.known.refresh()

    def now(self):
        return (RIGHT + self.skew).timestamp()

    def statuses(self, play, row, *skews):
        """Of one request after each jump of the clock."""

        async def ask(stack):
            answers = []
            for self.skew in skews:
                self.known.refresh()
                headers = {"x-api-key": self.minted.text}
                answers.append((await stack.predict(row, headers=headers)).status_code)
            return answers

        return play(ask, access=self.access)


@pytest.mark.parametrize(
    "jump",
    [timedelta(hours=2), timedelta(hours=-2), timedelta(days=-400), -YEARS],
    ids=["two-hours-ahead", "two-hours-behind", "last-year", "ten-years-behind"],
)
def test_requests_are_answered_whatever_the_clock_says(play, row, jump):
    assert SkewedGateway().statuses(play, row, timedelta(0), jump, timedelta(0)) == [200, 200, 200]


def test_a_clock_beyond_a_keys_end_shuts_its_caller_out_until_it_is_right_again(play, row):
    assert SkewedGateway().statuses(play, row, YEARS, timedelta(0)) == [401, 200]


@pytest.mark.parametrize("skew", [timedelta(seconds=-0.2), -YEARS, YEARS], ids=str)
def test_a_revoked_key_is_refused_by_every_clock(play, row, skew):
    gateway = SkewedGateway()
    key_life.revoke(gateway.store, gateway.minted.key_id, ADA, RIGHT)
    assert gateway.statuses(play, row, skew, timedelta(0)) == [401, 401]


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "behind"])
def test_a_jump_fills_no_callers_bucket(play, row, jump):
    gateway = SkewedGateway({"requestsPerSecond": 1, "burst": 2})
    assert gateway.statuses(play, row, timedelta(0), jump, jump) == [200, 200, 429]


def test_the_rows_of_a_day_begin_anew_when_the_clock_is_in_another(play, row):
    gateway = SkewedGateway({"rowsPerDay": 1})
    days = [timedelta(0), timedelta(0), timedelta(days=1), timedelta(days=1)]
    assert gateway.statuses(play, row, *days) == [200, 429, 200, 429]
