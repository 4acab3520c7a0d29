"""What holds a rollout by being over its limit: who may approve it, and for how long that holds."""

import pytest
from rollout_examples import NAME, TWO_STEPS, World, counted

from deployments.rollout import commands
from deployments.rollout.commands import Command
from deployments.rollout.errors import CommandRefused
from deployments.rollout.state import Phase


@pytest.fixture
def world():
    return World.with_plan()


def shifted(share_of_good):
    return counted(100, labels={"good": round(100 * share_of_good), "bad": round(100 * (1 - share_of_good))})


SHIFT_HOLDS = (
    "analysis: {minRequests: 100, checks: [{check: error-rate}, {check: prediction-shift, onBreach: pause}]}"
)


def held(plan=TWO_STEPS):
    """A rollout that its predictions hold at the first weight, and its controller."""
    world = World.with_plan(f"{plan}, {SHIFT_HOLDS}")
    world.service.start(NAME, None, "ann")
    controller = world.controller()
    world.go(controller, 90, shifted(0.1))
    assert (world.rollout.state.phase, world.traffic.weight) == (Phase.PAUSED, 10)
    return world, controller


def test_what_holds_a_candidate_is_approved_and_held_against_it_no_more_at_that_weight():
    world, controller = held()
    with pytest.raises(CommandRefused, match="prediction-shift is over its limit; `approve` goes on"):
        world.service.obey(NAME, Command.RESUME, "bob")
    world.service.obey(NAME, Command.APPROVE, "bob")
    assert world.store.decisions[-1].detail["reason"] == "prediction-shift approved by bob"
    world.go(controller, 200, shifted(0.1))
    assert (world.rollout.state.phase, world.traffic.weight) == (Phase.PAUSED, 50)
    world.service.obey(NAME, Command.APPROVE, "bob")
    world.go(controller, 200, shifted(0.1))
    assert world.rollout.state.phase is Phase.PROMOTED


def test_whoever_started_a_rollout_does_not_approve_what_holds_it():
    world, _ = held()
    with pytest.raises(CommandRefused, match="ann started the rollout"):
        world.service.obey(NAME, Command.APPROVE, "ann")


def test_where_anybody_approves_whoever_started_it_does_and_its_step_still_waits():
    by_anybody = "steps: [{weight: 10, hold: 0s}, {pause: approval, by: anybody}]"
    world, _ = held(by_anybody)
    paused = world.rollout.at(world.rollout.state.model_copy(update={"step": 1}))
    approved = commands.obey(paused, commands.Request(Command.APPROVE, "ann", world.now))
    assert (approved.phase, approved.approved) == (Phase.AWAITING_APPROVAL, ("prediction-shift",))


def test_nobody_promotes_past_a_check_over_its_limit_that_nobody_approved():
    world, _ = held()
    with pytest.raises(CommandRefused, match="prediction-shift is over its limit; `approve` comes first"):
        world.service.obey(NAME, Command.PROMOTE, "bob")
    world.service.obey(NAME, Command.APPROVE, "bob")
    assert world.service.obey(NAME, Command.PROMOTE, "bob").state.phase is Phase.PROMOTED


def test_a_pause_without_a_breach_needs_no_approval(world):
    world.service.start(NAME, None, "ann")
    world.service.obey(NAME, Command.PAUSE, "bob")
    with pytest.raises(CommandRefused, match="no check is over its limit"):
        world.service.obey(NAME, Command.APPROVE, "cid")
