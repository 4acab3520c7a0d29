"""The controller over doubles of everything around it, killed at every point, and two of them at once."""

from datetime import timedelta
from itertools import groupby

import pytest
from rollout_examples import NAME, V1, V2, World, counted

from deployments.contracts.snapshot import VersionCounts
from deployments.contracts.verdict import Outcome
from deployments.rollout.commands import Command
from deployments.rollout.controller import LEASE
from deployments.rollout.errors import RolloutChanged
from deployments.rollout.rollout_store import Change
from deployments.rollout.state import Phase

GOOD, BAD = counted(100), counted(100, failed=10)


@pytest.fixture
def world():
    return World.with_plan()


def started(world):
    world.service.start(NAME, None, "ann")
    return world.controller()


def test_a_good_candidate_goes_to_all_traffic_and_its_alias_moves_last(world):
    controller = started(world)
    world.go(controller, 100, GOOD)
    assert world.registry.moves == []
    world.go(controller, 60, GOOD)
    assert [weight for _, weight in world.traffic.applied] == [10, 50, 100]
    assert world.traffic.stable == [V1, V1, V2]
    assert [move.version for move in world.registry.moves] == [V2]
    assert not world.rollout.is_active


def test_a_failing_candidate_is_withdrawn_at_the_first_step_with_its_evidence(world):
    controller = started(world)
    world.go(controller, 60, BAD)
    assert [weight for _, weight in world.traffic.applied] == [10, 0]
    last = world.store.decisions[-1]
    assert last.action == "rollout rolled back"
    assert "requests failed" in last.detail["reason"]
    findings = {found["check"]: found for found in last.detail["verdict"]["findings"]}
    assert findings["error-rate"]["outcome"] == "unhealthy"
    assert findings["error-rate"]["evidence"]["candidate_failed_requests"] >= 20
    assert world.registry.moves == []


def test_a_slow_candidate_is_withdrawn(world):
    world.go(started(world), 60, counted(100, slow=100))
    assert world.traffic.weight == 0
    assert "p99 about" in world.rollout.state.reason


def test_thin_traffic_is_held_and_not_promoted(world):
    world.go(started(world), 600, counted(0), counted(10))
    assert (world.rollout.state.phase, world.traffic.weight) == (Phase.PROGRESSING, 10)
    assert world.rollout.state.verdict.outcome is Outcome.INCONCLUSIVE


def test_without_evidence_the_candidate_is_withdrawn_after_the_error_limit(world):
    controller = started(world)
    world.go(controller, 30, GOOD)
    world.evidence.silent = "the monitor does not answer"
    world.go(controller, 60)
    assert world.rollout.state.phase is Phase.PROGRESSING
    world.go(controller, 60)
    assert (world.rollout.state.phase, world.traffic.weight) == (Phase.ROLLED_BACK, 0)
    assert "5 errors one after another, the last: the monitor does not answer" in world.rollout.state.reason


def silenced(world):
    world.evidence.counted_by, world.evidence.limited = "gateways a, b", "the monitor does not answer"


def test_with_a_silent_monitor_a_failing_candidate_is_still_withdrawn_by_its_errors(world):
    controller = started(world)
    world.go(controller, 20, GOOD)
    silenced(world)
    world.go(controller, 40, BAD)
    assert (world.rollout.state.phase, world.traffic.weight) == (Phase.ROLLED_BACK, 0)
    assert "requests failed" in world.rollout.state.reason


def test_with_a_silent_monitor_a_good_candidate_is_withdrawn_after_the_error_limit_only(world):
    controller = started(world)
    world.go(controller, 20, GOOD)
    silenced(world)
    world.go(controller, 45, GOOD)
    assert world.rollout.state.phase is Phase.PROGRESSING
    findings = {found.check: found.outcome for found in world.rollout.state.verdict.findings}
    assert findings["error-rate"] is findings["latency"] is Outcome.HEALTHY
    assert findings["prediction-shift"] is findings["quality"] is findings["evidence"] is Outcome.ERROR
    world.go(controller, 45, GOOD)
    assert (world.rollout.state.phase, world.traffic.weight) == (Phase.ROLLED_BACK, 0)
    assert "5 errors one after another, the last: " in world.rollout.state.reason
    assert "the monitor does not answer" in world.rollout.state.reason


def test_a_monitor_that_comes_back_in_time_costs_the_evidence_and_not_the_rollout(world):
    controller = started(world)
    world.go(controller, 20, GOOD)
    silenced(world)
    world.go(controller, 30, GOOD)
    world.evidence.counted_by, world.evidence.limited = "monitor", ""
    world.go(controller, 200, GOOD)
    assert world.rollout.state.phase is Phase.PROMOTED


def test_what_happened_before_a_weight_was_in_force_is_not_held_against_it(world):
    world.serve(counted(10_000, failed=5000))
    world.go(started(world), 200, GOOD)
    assert world.rollout.state.phase is Phase.PROMOTED


def test_figures_that_begin_anew_are_an_error_first_and_a_new_baseline_then(world):
    controller = started(world)
    world.go(controller, 30, GOOD)
    world.evidence.counts = {"1.0.0": VersionCounts(), "1.1.0": VersionCounts()}
    world.go(controller, 15)
    assert world.rollout.state.errors == 1
    world.go(controller, 200, GOOD)
    assert world.rollout.state.phase is Phase.PROMOTED


def test_gateways_that_do_not_follow_are_asked_again_and_then_the_candidate_is_withdrawn(world):
    controller = started(world)
    world.traffic.broken = "no gateway follows"
    world.go(controller, 200, GOOD)
    assert (world.rollout.state.phase, world.rollout.is_active) == (Phase.ROLLED_BACK, True)
    assert "5 errors one after another" in world.rollout.state.reason
    assert world.rollout.state.trouble == "no gateway follows"
    world.traffic.broken = ""
    world.go(controller, 5)
    assert (world.traffic.weight, world.rollout.is_active) == (0, False)
    assert world.rollout.state.trouble == ""


def test_of_two_controllers_one_leads_and_the_other_takes_over_when_it_is_gone(world):
    one = started(world)
    two = world.controller("two")
    assert (one.tick(), two.tick()) == (True, False)
    world.now += LEASE + timedelta(seconds=1)
    assert (two.tick(), one.tick()) == (True, False)


def test_a_controller_that_lost_its_lease_in_the_middle_writes_nothing(world):
    one, two = started(world), world.controller("two")
    apply = world.traffic.apply

    def slow(wanted, endpoint, patient):
        world.now += LEASE + timedelta(seconds=1)
        world.store.lead("two", world.now, LEASE)
        apply(wanted, endpoint, patient)

    world.traffic.apply = slow
    assert one.tick() is False
    assert world.rollout.state.settled is None
    world.traffic.apply = apply
    two.tick()
    assert world.rollout.state.settled is not None


def test_a_command_that_comes_while_a_verdict_is_made_wins(world):
    controller = started(world)
    world.go(controller, 70, GOOD)
    figures = world.evidence.figures

    def and_meanwhile(model):
        world.evidence.figures = figures
        world.service.obey(NAME, Command.ABORT, "bob")
        return figures(model)

    world.evidence.figures = and_meanwhile
    world.go(controller, 30, GOOD)
    assert world.rollout.state.phase is Phase.ABORTED
    assert world.traffic.weight == 0


class Killed(BaseException):
    """kill -9: nothing catches it."""


class Points:
    """Counts the places at which the process may die, and dies at one of them."""

    def __init__(self, world, fatal=None):
        self.passed, self.fatal = 0, fatal
        world.store.before_write = world.store.after_write = self.point
        for owner, name in (
            (world.traffic, "apply"),
            (world.registry, "name_champion"),
            (world.evidence, "figures"),
        ):
            setattr(owner, name, self.around(getattr(owner, name)))

    def point(self, *_):
        self.passed += 1
        if self.passed == self.fatal:
            raise Killed

    def around(self, call):
        def called(*arguments):
            self.point()
            result = call(*arguments)
            self.point()
            return result

        return called


def lived_through(world, candidate, points):
    """Run to the end, a new controller after every death."""
    world.serve(candidate)
    holder, controller = 0, world.controller("controller-0")
    while world.rollout.is_active or world.rollout.state.owed_alias:
        try:
            world.go(controller, 5, candidate)
        except Killed:
            holder += 1
            controller = world.controller(f"controller-{holder}")
            world.now += timedelta(seconds=5)
    return points.passed


def points_of(candidate):
    world = World.with_plan()
    world.service.start(NAME, None, "ann")
    return lived_through(world, candidate, Points(world))


@pytest.mark.parametrize(
    ("candidate", "weights", "phase", "champions"),
    [
        pytest.param(GOOD, [10, 50, 100], Phase.PROMOTED, [V2], id="good"),
        pytest.param(BAD, [10, 0], Phase.ROLLED_BACK, [], id="bad"),
    ],
)
def test_killed_at_every_point_it_goes_on_and_never_leaves_what_nobody_decided(
    candidate, weights, phase, champions
):
    points = points_of(candidate)
    assert points > 20
    for fatal in range(1, points + 1):
        world = World.with_plan()
        world.service.start(NAME, None, "ann")
        lived_through(world, candidate, Points(world, fatal))
        applied = world.traffic.applied
        decided = {made.policy_epoch: made.detail["weights"]["1.1.0"] for made in world.store.decisions}
        assert [weight for weight, _ in groupby(weight for _, weight in applied)] == weights, fatal
        assert all(decided[epoch] == weight for epoch, weight in applied), fatal
        assert len({made.policy_epoch for made in world.store.decisions}) == len(world.store.decisions), fatal
        assert (world.rollout.state.phase, world.rollout.is_active) == (phase, False), fatal
        assert [move.version for move in world.registry.moves] == champions, fatal


@pytest.mark.parametrize(("traffic", "phase"), [(GOOD, Phase.PROMOTED), (BAD, Phase.ROLLED_BACK)])
def test_replicas_are_let_go_once_after_the_end_is_in_force(world, traffic, phase):
    world.go(started(world), 15, traffic)
    assert world.traffic.released == []
    world.go(world.controller(), 240, traffic)
    assert world.rollout.state.phase is phase
    assert world.traffic.released == [NAME]


def test_replicas_are_let_go_by_the_next_controller_where_the_first_one_died(world):
    world.go(started(world), 60, BAD)
    world.store._rollouts[NAME] = world.rollout.at(world.rollout.state.model_copy(update={"released": False}))
    world.traffic.released.clear()
    world.go(world.controller(), 30)
    assert world.traffic.released == [NAME]


def test_a_rollout_that_is_over_does_not_take_the_place_of_the_next_one(world):
    world.go(started(world), 60, BAD)
    over = world.rollout
    begun = world.service.start(NAME, None, "ann")
    with pytest.raises(RolloutChanged):
        world.store.write(Change(over))
    assert world.rollout == begun
