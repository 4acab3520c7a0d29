from datetime import timedelta

import pytest
from rollout_examples import NOON

from deployments.contracts.rollout_plan import Analysis, Freeze, PauseStep, ReplayStep, RolloutPlan, WeightStep
from deployments.contracts.verdict import Finding, OnBreach, Outcome, Verdict
from deployments.rollout import transitions
from deployments.rollout.state import Phase

MINUTE = timedelta(minutes=1)
PLAN = RolloutPlan(
    steps=(WeightStep(weight=10, hold=MINUTE), WeightStep(weight=50, hold=MINUTE), PauseStep(pause="approval")),
    analysis=Analysis(error_limit=3, timeout=timedelta(hours=1)),
)


def verdict(outcome, on_breach=OnBreach.ROLLBACK):
    finding = Finding(check="c", outcome=outcome, message=f"it is {outcome.value}", on_breach=on_breach)
    return Verdict(findings=(finding,))


HEALTHY, UNHEALTHY = verdict(Outcome.HEALTHY), verdict(Outcome.UNHEALTHY)
INCONCLUSIVE, ERROR = verdict(Outcome.INCONCLUSIVE), verdict(Outcome.ERROR)


def at_first_step(plan=PLAN):
    return transitions.settle(transitions.begin(plan, NOON), NOON)


@pytest.mark.parametrize(
    ("given", "after", "phase", "weight"),
    [
        pytest.param(HEALTHY, MINUTE, Phase.PROGRESSING, 50, id="healthy-steps-up"),
        pytest.param(HEALTHY, MINUTE / 2, Phase.PROGRESSING, 10, id="healthy-holds-for-as-long-as-the-step-says"),
        pytest.param(INCONCLUSIVE, MINUTE, Phase.PROGRESSING, 10, id="thin-traffic-holds"),
        pytest.param(INCONCLUSIVE, 60 * MINUTE, Phase.PAUSED, 10, id="thin-traffic-for-too-long-asks-a-person"),
        pytest.param(UNHEALTHY, MINUTE / 60, Phase.ROLLED_BACK, 0, id="unhealthy-withdraws-at-once"),
        pytest.param(ERROR, MINUTE, Phase.PROGRESSING, 10, id="one-error-holds"),
        pytest.param(
            verdict(Outcome.UNHEALTHY, OnBreach.PAUSE), MINUTE, Phase.PAUSED, 10, id="a-shift-asks-a-person"
        ),
    ],
)
def test_the_weight_follows_the_verdict(given, after, phase, weight):
    state = transitions.advance(at_first_step(), PLAN, given, NOON + after)
    assert (state.phase, state.weight) == (phase, weight)


def test_a_step_that_keeps_the_weight_has_a_timeout_of_its_own():
    plan = PLAN.model_copy(update={"steps": (*PLAN.steps[:1], ReplayStep(replay=MINUTE), *PLAN.steps[1:])})
    late = NOON + 59 * MINUTE
    replaying = transitions.advance(at_first_step(plan), plan, HEALTHY, late)
    assert (replaying.step, replaying.weight) == (1, 10)
    for after, phase in ((2 * MINUTE, Phase.PROGRESSING), (60 * MINUTE, Phase.PAUSED)):
        assert transitions.advance(replaying, plan, INCONCLUSIVE, late + after).phase is phase


def test_nothing_is_decided_before_the_weight_is_in_force():
    state = transitions.begin(PLAN, NOON)
    assert transitions.advance(state, PLAN, UNHEALTHY, NOON) is state


def test_evidence_begins_anew_with_every_weight():
    before = at_first_step().model_copy(update={"baseline": {"1.0.0": {}}})
    state = transitions.advance(before, PLAN, HEALTHY, NOON + MINUTE)
    assert (state.settled, state.baseline, state.checked) == (None, None, None)


def test_errors_one_after_another_withdraw_and_one_good_look_forgets_them():
    state = at_first_step()
    for given in (ERROR, ERROR, INCONCLUSIVE, ERROR, ERROR):
        state = transitions.advance(state, PLAN, given, NOON)
    assert state.phase is Phase.PROGRESSING
    state = transitions.advance(state, PLAN, ERROR, NOON)
    assert (state.phase, state.weight) == (Phase.ROLLED_BACK, 0)
    assert (state.errors, state.trouble) == (0, "")
    assert state.reason == "3 errors one after another, the last: it is error"


def test_an_approval_is_waited_for_and_the_candidate_is_judged_meanwhile():
    state = at_first_step()
    for _ in range(2):
        state = transitions.settle(transitions.advance(state, PLAN, HEALTHY, NOON + 2 * MINUTE), NOON)
    assert (state.phase, state.weight) == (Phase.AWAITING_APPROVAL, 50)
    assert transitions.advance(state, PLAN, HEALTHY, NOON + 60 * MINUTE).phase is Phase.AWAITING_APPROVAL
    assert transitions.advance(state, PLAN, UNHEALTHY, NOON).phase is Phase.ROLLED_BACK


def test_an_approval_before_the_first_weight_gives_no_traffic():
    plan = RolloutPlan(steps=(PauseStep(pause="approval"), WeightStep(weight=10)))
    state = transitions.begin(plan, NOON)
    assert (state.phase, state.weight, state.step) == (Phase.AWAITING_APPROVAL, 0, 0)


def test_who_waits_for_an_approval_unseen_is_not_withdrawn_because_nobody_can_tell_how_it_does():
    plan = RolloutPlan(steps=(PauseStep(pause="approval"), WeightStep(weight=10)), analysis=PLAN.analysis)
    state = transitions.settle(transitions.begin(plan, NOON), NOON)
    for _ in range(10):
        state = transitions.advance(state, plan, ERROR, NOON)
    assert (state.phase, state.trouble) == (Phase.AWAITING_APPROVAL, "it is error")


def test_beyond_the_last_step_the_candidate_is_promoted():
    plan = RolloutPlan(steps=(WeightStep(weight=10, hold=MINUTE),))
    state = transitions.advance(at_first_step(plan), plan, HEALTHY, NOON + MINUTE)
    assert (state.phase, state.weight, state.moves_alias, state.settled) == (Phase.PROMOTED, 100, True, None)


def test_in_a_freeze_nobody_gets_more_and_the_unhealthy_get_nothing():
    plan = PLAN.model_copy(update={"freeze": (Freeze(),)})
    state = at_first_step(plan)
    assert transitions.advance(state, plan, HEALTHY, NOON + MINUTE).weight == 10
    assert transitions.advance(state, plan, UNHEALTHY, NOON + MINUTE).weight == 0


@pytest.mark.parametrize(
    ("plan", "given"),
    [
        pytest.param(
            PLAN.model_copy(update={"on_failure": OnBreach.PAUSE}), UNHEALTHY, id="plan-asks-for-a-person"
        ),
        pytest.param(PLAN, verdict(Outcome.UNHEALTHY, OnBreach.PAUSE), id="check-asks-for-a-person"),
    ],
)
def test_what_asks_for_a_person_holds(plan, given):
    state = transitions.advance(at_first_step(plan), plan, given, NOON)
    assert (state.phase, state.weight, state.reason) == (Phase.PAUSED, 10, "it is unhealthy")


@pytest.mark.parametrize("phase", [Phase.PROMOTED, Phase.ROLLED_BACK, Phase.ABORTED])
def test_after_the_end_no_verdict_changes_anything(phase):
    ended = at_first_step().model_copy(update={"phase": phase})
    assert transitions.advance(ended, PLAN, UNHEALTHY, NOON) is ended
