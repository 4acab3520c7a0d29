"""A figure of the owner's own: how a plan asks for it, and what its answer says of a candidate."""

import pytest
from rollout_examples import NAME, NOON, V1, V2, World, counted, wanted_endpoint

from deployments.contracts.errors import InvalidDocument
from deployments.contracts.rollout_checks import PLACEHOLDERS, ErrorRateCheck, QueryCheck
from deployments.contracts.rollout_plan import Analysis
from deployments.contracts.verdict import Outcome
from deployments.rollout.analysis import verdicts
from deployments.rollout.analysis.window import Answer, Observed, Window
from deployments.rollout.commands import Command
from deployments.rollout.prometheus_queries import PrometheusQueries
from deployments.rollout.state import Phase

REFUNDS = "sum(increase(refunds_total{version='{{version}}'}[{{window}}]))"
PLAN = "steps: [{weight: 10, hold: 60s}], analysis: {interval: 15s, minRequests: 100, checks: [%s]}"
QUERY = '{check: query, name: refunds, query: "%s", %s}'
NOTHING, DOWN = Answer(), Answer(trouble="Prometheus does not answer")


def plan(limits, query=REFUNDS):
    return PLAN % (QUERY % (query, limits))


def query_check(**limits):
    return QueryCheck(check="query", name="refunds", query=REFUNDS, **limits)


def judged(check, candidate, stable=NOTHING, requests=1000):
    window = Window(
        Observed(counted(requests), answers={"refunds": candidate}),
        Observed(counted(5000), answers={"refunds": stable}),
    )
    (found,) = verdicts.judge(Analysis(min_requests=100, checks=(check,)), window).findings
    return found


@pytest.mark.parametrize(
    ("limits", "candidate", "stable", "outcome"),
    [
        pytest.param({"limit": 3}, Answer(2.0), NOTHING, Outcome.HEALTHY, id="under-the-limit"),
        pytest.param({"limit": 3}, Answer(3.5), NOTHING, Outcome.UNHEALTHY, id="over-the-limit"),
        pytest.param({"limit": 3, "worse": "lower"}, Answer(2.0), NOTHING, Outcome.UNHEALTHY, id="too-low"),
        pytest.param({"limit": 3, "worse": "lower"}, Answer(3.5), NOTHING, Outcome.HEALTHY, id="high-is-good"),
        pytest.param({"limit_times_stable": 1.5}, Answer(1.4), Answer(1.0), Outcome.HEALTHY, id="near-stable"),
        pytest.param({"limit_times_stable": 1.5}, Answer(1.6), Answer(1.0), Outcome.UNHEALTHY, id="over-stable"),
        pytest.param(
            {"limit_times_stable": 0.8, "worse": "lower"}, Answer(0.7), Answer(1.0), Outcome.UNHEALTHY,
            id="under-stable",
        ),
        pytest.param(
            {"limit": 3, "limit_times_stable": 9}, Answer(4.0), NOTHING, Outcome.UNHEALTHY,
            id="over-the-limit-though-stable-has-no-figure",
        ),
        pytest.param({"limit_times_stable": 9}, Answer(4.0), NOTHING, Outcome.INCONCLUSIVE, id="stable-has-none"),
        pytest.param({"limit_times_stable": 2}, Answer(1.0), Answer(-1.0), Outcome.ERROR, id="times-a-negative"),
        pytest.param({"limit": 3}, NOTHING, NOTHING, Outcome.INCONCLUSIVE, id="no-figure-yet"),
        pytest.param({"limit": 3}, DOWN, NOTHING, Outcome.ERROR, id="nobody-can-tell"),
        pytest.param({"limit_times_stable": 2}, Answer(1.0), DOWN, Outcome.ERROR, id="nobody-can-tell-of-stable"),
    ],
)  # fmt: skip
def test_a_figure_is_held_against_its_limits(limits, candidate, stable, outcome):
    assert judged(query_check(**limits), candidate, stable).outcome is outcome


def test_a_figure_of_too_few_requests_says_nothing():
    found = judged(query_check(limit=3), Answer(99.0), requests=20)
    assert (found.outcome, found.evidence["candidate"]) == (Outcome.INCONCLUSIVE, 99.0)
    assert "20 of 100 requests" in found.message


def test_a_finding_names_the_figure_and_both_sides():
    found = judged(query_check(limit=3, limit_times_stable=1.5), Answer(3.5), Answer(2.0))
    assert found.check == "query refunds"
    assert found.message == "query refunds: 3.5, limit 3, limit 1.5 times stable's 2; higher is worse"
    assert found.evidence == {"candidate_requests": 1000, "candidate": 3.5, "stable": 2.0}


def test_a_query_takes_nothing_of_what_chance_may_do_from_the_other_checks():
    failing = Window(Observed(counted(400, failed=35), answers={"refunds": Answer(0.0)}), Observed(counted(5000)))
    error_rate = ErrorRateCheck(check="error-rate")
    alone = verdicts.judge(Analysis(checks=(error_rate,)), failing)
    beside = verdicts.judge(Analysis(checks=(error_rate, query_check(limit=3))), failing)
    assert beside.findings[0] == alone.findings[0]


def test_with_a_silent_monitor_a_query_is_answered_all_the_same():
    window = Window(Observed(counted(1000), answers={"refunds": Answer(9.0)}), Observed(counted(5000)))
    verdict = verdicts.judge(Analysis(checks=(query_check(limit=3),)), window, limited="the monitor is silent")
    assert verdict.outcome is Outcome.UNHEALTHY


@pytest.mark.parametrize(
    ("limits", "query", "message"),
    [
        pytest.param("limit: 3", "up{a='{{canary}}'}", r"no placeholder \{\{canary\}\}; there are \{\{version\}\}",
                     id="unknown-placeholder"),
        pytest.param("required: true", REFUNDS, "refunds needs limit, limitTimesStable or both", id="no-limit"),
        pytest.param("limitTimesStable: 2", "sum(up)", r"the query refunds has no \{\{version\}\}",
                     id="compares-nothing"),
        pytest.param("limit: 3, worse: red", REFUNDS, "'higher' or 'lower'", id="unknown-direction"),
        pytest.param("limit: .nan", REFUNDS, "finite number", id="limit-that-is-no-number"),
    ],
)  # fmt: skip
def test_a_query_that_could_not_be_judged_is_refused_with_the_file(limits, query, message):
    with pytest.raises(InvalidDocument, match=message):
        wanted_endpoint(plan(limits, query))


def test_two_queries_of_one_name_are_refused():
    one = QUERY % (REFUNDS, "limit: 3")
    with pytest.raises(InvalidDocument, match="two queries have the name refunds"):
        wanted_endpoint(PLAN % f"{one}, {one}")


def test_every_placeholder_is_filled():
    check = query_check(limit=3).model_copy(
        update={"query": " ".join(f"{{{{ {name} }}}}" for name in PLACEHOLDERS)}
    )
    assert check.filled({name: name.upper() for name in PLACEHOLDERS}) == " ".join(PLACEHOLDERS).upper()


@pytest.fixture
def world():
    made = World.with_plan(plan("limit: 3"))
    made.service.start(NAME, None, "ann")
    return made


def test_a_candidate_over_the_limit_of_a_query_is_withdrawn_with_the_figure_in_the_history(world):
    world.evidence.answered = {V2: {"refunds": Answer(7.0)}, V1: {}}
    world.go(world.controller(), 60, counted(100))
    assert world.rollout.state.phase is Phase.ROLLED_BACK
    (found,) = world.store.decisions[-1].detail["verdict"]["findings"]
    assert (found["check"], found["evidence"]["candidate"]) == ("query refunds", 7.0)


def test_a_candidate_whose_figure_nobody_can_tell_is_withdrawn_after_the_error_limit(world):
    world.evidence.answered = {V2: {"refunds": DOWN}, V1: {}}
    world.go(world.controller(), 60, counted(100))
    assert (world.rollout.state.phase, world.rollout.state.errors) == (Phase.PROGRESSING, 4)
    world.go(world.controller(), 60, counted(100))
    assert world.rollout.state.phase is Phase.ROLLED_BACK


def test_without_a_prometheus_the_setting_is_told(world):
    answers = PrometheusQueries(None, "test").answers(world.rollout, NOON)
    assert "RAYGATE_PROMETHEUS_URL" in answers[V2]["refunds"].trouble


def test_what_one_query_found_over_its_limit_is_approved_by_its_name():
    world = World.with_plan(plan("limit: 3, onBreach: pause"))
    world.service.start(NAME, None, "ann")
    world.evidence.answered = {V2: {"refunds": Answer(7.0)}}
    controller = world.controller()
    world.go(controller, 60, counted(100))
    assert world.rollout.state.phase is Phase.PAUSED
    world.service.obey(NAME, Command.APPROVE, "ben")
    assert world.rollout.state.approved == ("query refunds",)
