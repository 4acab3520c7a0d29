from dataclasses import replace
from datetime import timedelta

import pytest
from rollout_examples import NAME, NOON, TWO_STEPS, V1, V2, World, counted, wanted_endpoint

from deployments.contracts.errors import UnknownEndpoint, UnknownVersion
from deployments.contracts.model_version import Version
from deployments.contracts.package import RiskTier
from deployments.rollout import approval
from deployments.rollout import policy as policies
from deployments.rollout.commands import Command
from deployments.rollout.control_database import Decision
from deployments.rollout.errors import CommandRefused, NoRollout, RolloutNotPossible, RolloutRunning
from deployments.rollout.state import Phase
from deployments.rollout.status import status_of

WITH_APPROVAL = "steps: [{weight: 10, hold: 60s}, {pause: approval}], analysis: {minRequests: 100}"


@pytest.fixture
def world():
    return World.with_plan()


def test_a_rollout_starts_with_the_first_weight_in_the_wanted_policy(world):
    started = world.service.start(NAME, None, "ann")
    wanted = world.store.endpoints()[NAME].policy
    assert (started.stable, started.candidate, started.started_by) == (V1, V2, "ann")
    assert dict(wanted.slots) == {V1: 9000, V2: 1000}
    assert (wanted.experiment, wanted.policy_epoch) == (started.name, 2)
    assert [made.action for made in world.store.decisions] == ["rollout progressing"]


def test_units_keep_their_version_through_a_rollout(world):
    before = world.store.endpoints()[NAME].policy
    world.service.start(NAME, None, "ann")
    assert world.store.endpoints()[NAME].policy.salt == before.salt


@pytest.mark.parametrize(
    ("endpoint", "version", "error"),
    [
        pytest.param("nobody", None, UnknownEndpoint, id="unknown-endpoint"),
        pytest.param(NAME, Version(9, 0, 0), UnknownVersion, id="unknown-version"),
        pytest.param(NAME, V1, RolloutNotPossible, id="stable-itself"),
    ],
)
def test_what_cannot_start_says_why(world, endpoint, version, error):
    with pytest.raises(error):
        world.service.start(endpoint, version, "ann")
    assert world.store.rollouts() == {}


def test_a_second_rollout_waits_for_the_end_of_the_first(world):
    world.service.start(NAME, None, "ann")
    with pytest.raises(RolloutRunning, match="is progressing and owns its weights"):
        world.service.start(NAME, None, "ann")


def test_without_a_rollout_there_is_nothing_to_tell(world):
    with pytest.raises(NoRollout):
        world.service.obey(NAME, Command.PAUSE, "ann")


def test_a_pause_keeps_the_weights_and_a_resume_goes_on(world):
    world.service.start(NAME, None, "ann")
    controller = world.controller()
    world.go(controller, 20, counted(100))
    paused = world.service.obey(NAME, Command.PAUSE, "bob")
    assert (paused.state.phase, paused.state.reason) == (Phase.PAUSED, "paused by bob")
    world.go(controller, 300, counted(100))
    assert world.traffic.weight == 10
    world.service.obey(NAME, Command.RESUME, "bob")
    world.go(controller, 20, counted(100))
    assert world.traffic.weight == 50


def test_a_rollout_that_is_resumed_has_its_whole_timeout_again():
    world = World.with_plan(f"{TWO_STEPS}, analysis: {{interval: 15s, minRequests: 100, timeout: 120s}}")
    world.service.start(NAME, None, "ann")
    controller = world.controller()
    world.go(controller, 150, counted(0), counted(10))
    assert "inconclusive for too long" in world.rollout.state.reason
    world.service.obey(NAME, Command.RESUME, "bob")
    world.go(controller, 90, counted(0), counted(10))
    assert world.rollout.state.phase is Phase.PROGRESSING
    world.go(controller, 60, counted(0), counted(10))
    assert world.rollout.state.phase is Phase.PAUSED


def test_a_paused_candidate_that_fails_is_withdrawn_all_the_same(world):
    world.service.start(NAME, None, "ann")
    controller = world.controller()
    world.go(controller, 20, counted(100))
    world.service.obey(NAME, Command.PAUSE, "bob")
    world.go(controller, 60, counted(100, failed=50))
    assert (world.rollout.state.phase, world.traffic.weight) == (Phase.ROLLED_BACK, 0)


@pytest.mark.parametrize("command", [Command.ABORT, Command.ROLLBACK])
def test_a_rollout_that_is_ended_gives_all_traffic_to_stable(world, command):
    world.service.start(NAME, None, "ann")
    controller = world.controller()
    world.go(controller, 20, counted(100))
    world.service.obey(NAME, command, "bob")
    controller.tick()
    assert world.traffic.weight == 0
    assert not world.rollout.is_active
    assert world.registry.moves == []
    assert world.store.endpoints()[NAME].policy.experiment == ""


def test_a_promotion_by_hand_skips_the_steps_that_are_left(world):
    world.service.start(NAME, None, "ann")
    controller = world.controller()
    world.go(controller, 20, counted(100))
    world.service.obey(NAME, Command.PROMOTE, "bob")
    world.go(controller, 5)
    assert (world.traffic.weight, world.traffic.stable[-1]) == (100, V2)
    assert [move.version for move in world.registry.moves] == [V2]


def test_a_rollback_after_the_promotion_brings_back_version_and_alias(world):
    world.service.start(NAME, None, "ann")
    controller = world.controller()
    world.service.obey(NAME, Command.PROMOTE, "bob")
    world.go(controller, 5)
    world.service.obey(NAME, Command.ROLLBACK, "bob")
    world.go(controller, 5)
    assert (world.traffic.weight, world.traffic.stable[-1]) == (0, V1)
    assert [move.version for move in world.registry.moves] == [V2, V1]


def test_what_has_been_overtaken_is_not_taken_back(world):
    world.service.start(NAME, None, "ann")
    controller = world.controller()
    world.service.obey(NAME, Command.PROMOTE, "bob")
    controller.tick()
    wanted = world.store.wanted[NAME]
    later = wanted.policy.model_copy(update={"stable": V1, "policy_epoch": wanted.policy.policy_epoch + 1})
    world.store.wanted[NAME] = replace(wanted, policy=later)
    with pytest.raises(CommandRefused, match=f"{V1} has become stable since"):
        world.service.obey(NAME, Command.ROLLBACK, "bob")
    del world.store.wanted[NAME]
    with pytest.raises(UnknownEndpoint):
        world.service.obey(NAME, Command.ROLLBACK, "bob")


def test_who_started_a_rollout_does_not_approve_it():
    world = World.with_plan(WITH_APPROVAL)
    world.service.start(NAME, None, "ann")
    controller = world.controller()
    world.go(controller, 90, counted(100))
    assert world.rollout.state.phase is Phase.AWAITING_APPROVAL
    with pytest.raises(CommandRefused, match="ann started the rollout"):
        world.service.obey(NAME, Command.APPROVE, "ann")
    with pytest.raises(CommandRefused, match=r"asks for an approval|takes one that is"):
        world.service.obey(NAME, Command.PROMOTE, "bob")
    approved = world.service.obey(NAME, Command.APPROVE, "bob")
    assert (approved.state.phase, approved.state.reason) == (Phase.PROMOTED, "approved by bob")


def test_no_promotion_passes_an_approval_that_is_still_to_come():
    world = World.with_plan(WITH_APPROVAL)
    world.service.start(NAME, None, "ann")
    with pytest.raises(CommandRefused, match="asks for an approval"):
        world.service.obey(NAME, Command.PROMOTE, "bob")


@pytest.mark.parametrize("command", [Command.RESUME, Command.APPROVE])
def test_a_command_that_makes_no_sense_now_is_refused(world, command):
    world.service.start(NAME, None, "ann")
    with pytest.raises(CommandRefused, match="the rollout is progressing; this takes one that is"):
        world.service.obey(NAME, command, "ann")


def test_the_status_says_when_the_next_step_can_come(world):
    world.service.start(NAME, None, "ann")
    assert status_of(world.rollout).in_force is False
    world.controller().tick()
    told = status_of(world.rollout)
    assert (told.step, told.steps, told.weight, told.in_force) == (1, 2, 10, True)
    assert (told.next_step_not_before - NOON).total_seconds() == 60


def test_a_split_with_a_third_version_is_not_taken_over():
    world = World.with_plan(TWO_STEPS)
    wanted = world.store.wanted[NAME]
    third = wanted.policy.model_copy(
        update={"slots": ((V1, 9000), (Version(1, 2, 0), 1000)), "versions": (V1, V2, Version(1, 2, 0))}
    )
    world.store.wanted[NAME] = type(wanted)(wanted.document, 1, third)
    with pytest.raises(RolloutNotPossible, match=r"1\.2\.0 has a part of the split"):
        world.service.start(NAME, V2, "ann")


FROZEN_AT_NOON = "freeze: [{begins: '11:00', ends: '13:00'}]"
FROZEN_SOON = "freeze: [{begins: '12:01', ends: '13:00'}]"


def test_in_a_freeze_no_rollout_starts():
    world = World.with_plan(f"{TWO_STEPS}, {FROZEN_AT_NOON}")
    with pytest.raises(RolloutNotPossible, match="a freeze of its plan holds"):
        world.service.start(NAME, None, "ann")


def test_in_a_freeze_nobody_gives_a_candidate_more_and_everybody_may_withdraw_it():
    world = World.with_plan(f"{WITH_APPROVAL}, {FROZEN_SOON}")
    world.service.start(NAME, None, "ann")
    controller = world.controller()
    world.go(controller, 55, counted(100))
    world.now += timedelta(seconds=10)
    world.go(controller, 60, counted(100))
    assert (world.rollout.state.phase, world.traffic.weight) == (Phase.PROGRESSING, 10)
    with pytest.raises(CommandRefused, match="a freeze of the plan holds"):
        world.service.obey(NAME, Command.PROMOTE, "bob")
    world.service.obey(NAME, Command.ABORT, "bob")
    controller.tick()
    assert world.traffic.weight == 0


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(TWO_STEPS, id="a-plan-that-asks-for-none"),
        pytest.param("steps: [{pause: approval, by: anybody}, {weight: 10}]", id="a-plan-that-lets-anybody"),
    ],
)
def test_a_candidate_of_high_risk_waits_for_somebody_else_before_its_first_request(plan):
    world = World.with_plan(plan)
    world.risk = RiskTier.HIGH
    world.service.start(NAME, None, "ann")
    controller = world.controller()
    world.go(controller, 60, counted(0))
    assert (world.rollout.state.phase, world.traffic.weight) == (Phase.AWAITING_APPROVAL, 0)
    with pytest.raises(CommandRefused, match="ann started the rollout"):
        world.service.obey(NAME, Command.APPROVE, "ann")
    world.service.obey(NAME, Command.APPROVE, "bob")
    controller.tick()
    assert world.traffic.weight == 10


def policy_of(weights, stable=V1):
    wanted = wanted_endpoint()
    return policies.with_weights(wanted.policy, weights, 2).model_copy(update={"stable": stable})


def decided(weights):
    return [Decision(NOON, NAME, "apply", 1, {"weights": weights})]


@pytest.mark.parametrize(
    ("weights", "history", "refused"),
    [
        pytest.param({V1: 100}, [], (), id="the-first-stable-version-answers"),
        pytest.param({V1: 90, V2: 10}, [], (V2,), id="a-candidate-beside-it-waits"),
        pytest.param({V1: 90, V2: 10}, decided({"1.0.0": 100.0, "1.1.0": 0.0}), (V2,), id="never-had-requests"),
        pytest.param({V2: 100}, decided({"1.0.0": 90, "1.1.0": 10}), (), id="was-brought-there-before"),
    ],
)
def test_without_a_rollout_a_version_of_high_risk_gets_requests_only_if_it_had_some(weights, history, refused):
    made = policy_of(weights)
    assert approval.unapproved(made, lambda model, version: RiskTier.HIGH, history) == refused
    assert approval.unapproved(made, lambda model, version: RiskTier.MEDIUM, history) == ()
