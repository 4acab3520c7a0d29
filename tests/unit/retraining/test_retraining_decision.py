"""When a model is trained anew, and what keeps that from being a storm."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from retraining_examples import DRIFT, HOUR, NOON, QUALITY, STABLE, evidence, plan, run, window

from deployments.contracts.model_version import Version
from ray_apps.retraining.decision import Measured, decide, remembered
from ray_apps.retraining.run import State, begun


def decided(triggers=None, seen=None, windows=(), runs=(), applied=NOON - 100 * HOUR, **changes):
    return decide(plan(triggers, **changes), seen or evidence(), windows, runs, applied, NOON)


class TestDrift:
    @pytest.mark.parametrize(
        ("windows", "begins"),
        [
            pytest.param([window(2), window(1)], True, id="critical-in-two-of-three"),
            pytest.param([window(2), window(1, critical=0), window(0)], True, id="not-one-after-the-other"),
            pytest.param(
                [window(3), window(2), window(1, critical=0), window(0, critical=0)], False, id="long-ago"
            ),
            pytest.param([window(0)], False, id="once"),
            pytest.param([window(1, version=Version(0, 9, 0)), window(0)], False, id="of-another-version"),
        ],
    )
    def test_it_must_last(self, windows, begins):
        assert (decided(windows=windows).trigger is not None) is begins

    @pytest.mark.parametrize(
        ("windows", "begins"),
        [
            pytest.param([window(9), window(8)], False, id="the-same-windows"),
            pytest.param([window(8), window(1)], False, id="one-since"),
            pytest.param([window(2), window(1)], True, id="it-goes-on"),
        ],
    )
    def test_windows_of_before_the_last_run_do_not_begin_another(self, windows, begins):
        assert (decided(windows=windows, runs=[run(7)]).trigger is not None) is begins

    def test_it_explains_itself(self):
        trigger = decided(windows=[window(1), window(0)]).trigger
        assert trigger.text == "drift was critical in 2 of the last 2 windows; the worst now: Age 0.60"
        assert trigger.numbers == {"critical": 2, "windows": 2, "psi.Age": 0.6}

    @pytest.mark.parametrize(
        ("last", "seen", "count"),
        [
            pytest.param(window(1), evidence(critical=1), 2, id="a-window-later"),
            pytest.param(window(0.5), evidence(critical=1), 1, id="it-would-overlap"),
            pytest.param(window(1), evidence(judged=0), 1, id="too-few-rows-are-no-window"),
            pytest.param(window(1), evidence(version=Version(2, 0, 0)), 1, id="another-version-begins-anew"),
        ],
    )
    def test_windows_are_remembered(self, last, seen, count):
        kept = remembered([last], seen, plan().triggers.drift, NOON)
        assert len(kept) == count
        assert {one.version for one in kept} == {seen.version}


class TestQuality:
    @pytest.mark.parametrize(
        ("auc", "begins"),
        [
            pytest.param(0.74, True, id="more-than-a-twentieth-lost"),
            pytest.param(0.77, False, id="less"),
            pytest.param(0.90, False, id="better"),
        ],
    )
    def test_it_must_be_lost_beyond_the_limit(self, auc, begins):
        assert (decided(QUALITY, evidence(auc=auc)).trigger is not None) is begins

    def test_what_may_be_chance_begins_nothing(self):
        wide = {"roc_auc": Measured(0.70, 0.55, 0.85, 0.80)}
        assert decided(QUALITY, evidence(quality=wide)).trigger is None

    @pytest.mark.parametrize(
        ("value", "begins"), [pytest.param(12.0, True, id="worse"), pytest.param(8.0, False, id="better")]
    )
    def test_an_error_is_lost_quality_when_it_grows(self, value, begins):
        seen = evidence(quality={"rmse": Measured(value, value - 0.5, value + 0.5, 10.0)})
        assert (decided({"quality": {"metric": "rmse"}}, seen).trigger is not None) is begins

    def test_it_explains_itself(self):
        trigger = decided(QUALITY, evidence(auc=0.70)).trigger
        assert trigger.text == (
            "roc_auc is 0.700 (0.680 to 0.720) on 900 labels, 0.800 when 1.0.0 was made: more than 5% lost"
        )
        assert trigger.numbers["baseline"] == 0.80


class TestInterval:
    @pytest.mark.parametrize(
        ("runs", "applied", "begins"),
        [
            pytest.param([], NOON - 25 * HOUR, True, id="since-the-plan"),
            pytest.param([run(25)], NOON - 99 * HOUR, True, id="since-the-latest-run"),
            pytest.param([run(23)], NOON - 99 * HOUR, False, id="not-yet"),
        ],
    )
    def test_it_is_counted_from_the_latest_run(self, runs, applied, begins):
        assert (decided({"every": "1d"}, runs=runs, applied=applied).trigger is not None) is begins

    def test_it_needs_no_monitor(self):
        found = decide(plan({"every": "1d"}), None, (), (), NOON - 25 * HOUR, NOON)
        assert found.trigger is not None


class TestRestraint:
    CRITICAL = (window(1), window(0))

    @pytest.mark.parametrize(
        ("runs", "told"),
        [
            pytest.param([run(30, State.RUNNING)], "is running", id="one-at-a-time"),
            pytest.param([run(30, State.AWAITING_APPROVAL)], "awaits approval", id="a-winner-waits"),
            pytest.param(
                [run(40, State.AWAITING_APPROVAL), run(30)], "awaits approval", id="a-person-began-another-since"
            ),
            pytest.param([run(5, State.FAILED)], "the cooldown of 6h lasts for 1h more", id="cooldown"),
            pytest.param([run(40), run(30)], "the budget of 2 runs in 2d is used up", id="budget"),
        ],
    )
    def test_a_trigger_is_held_and_says_why(self, runs, told):
        found = decided(windows=self.CRITICAL, runs=runs)
        assert found.trigger is None
        assert "drift was critical" in found.held
        assert told in found.held

    @pytest.mark.parametrize(
        "runs",
        [
            pytest.param([run(49), run(7)], id="one-has-left-the-budget"),
            pytest.param([run(7, State.CANARY)], id="over"),
        ],
    )
    def test_then_it_begins(self, runs):
        assert decided(windows=self.CRITICAL, runs=runs).trigger is not None

    @given(minutes=st.lists(st.integers(0, 600), max_size=200), fails=st.booleans())
    def test_whatever_happens_runs_keep_cooldown_and_budget(self, minutes, fails):
        wanted, runs, now = plan({**DRIFT, **QUALITY, "every": "1h"}), [], NOON
        for step in minutes:
            now += timedelta(minutes=step)
            found = decide(wanted, evidence(critical=5, auc=0.5), self.CRITICAL, runs, NOON, now)
            if found.trigger:
                made = begun("credit-risk", STABLE.model, STABLE.version, found.trigger, "monitor", now)
                runs.append(made.after(State.FAILED if fails else State.CANARY, now, "over"))
        starts = [one.started for one in runs]
        assert all(later - earlier >= wanted.cooldown for earlier, later in itertools.pairwise(starts))
        for start in starts:
            assert sum(start - wanted.budget.within < other <= start for other in starts) <= wanted.budget.runs


class TestPlan:
    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            pytest.param({"triggers": {}}, "must name one of drift, quality, every", id="no-trigger"),
            pytest.param(
                {"triggers": {"drift": {"critical": 4, "of": 3}}}, "more than the 3 windows", id="never-met"
            ),
            pytest.param({"rows": {"judged": 1.0}}, "rows.judged", id="nothing-left-to-train"),
            pytest.param({"cooldown": "soon"}, "must be a duration", id="no-duration"),
        ],
    )
    def test_one_that_cannot_work_is_refused(self, changes, told):
        with pytest.raises(ValidationError, match=told):
            plan(**changes)
