"""What goes wrong with one rollout, and with the end of one."""

from dataclasses import replace

import pytest
from rollout_examples import NAME, World, counted, wanted_endpoint

from deployments.contracts.endpoint import Metadata
from deployments.contracts.errors import TrafficNotApplied
from deployments.rollout.commands import Command
from deployments.rollout.controller import CAPACITY_PATIENCE, RETRY_AFTER
from deployments.rollout.state import Phase

GOOD = counted(100)


@pytest.fixture
def world():
    return World.with_plan()


def started(world):
    world.service.start(NAME, None, "ann")
    return world.controller()


def started_beside_zebra(world):
    """Two endpoints with a rollout each; that of zebra comes last."""
    wanted = wanted_endpoint()
    document = wanted.document.model_copy(update={"metadata": Metadata(name="zebra")})
    world.store.wanted["zebra"] = replace(wanted, document=document)
    controller = started(world)
    world.service.start("zebra", None, "ann")
    return controller


def test_what_fails_unexpectedly_counts_as_an_error_and_stops_no_other_rollout(world):
    controller = started_beside_zebra(world)
    apply = world.traffic.apply

    def apply_one(wanted, endpoint, patient):
        if endpoint == NAME and world.rollout.state.weight:
            raise FileNotFoundError("output.parquet")
        apply(wanted, endpoint, patient)

    world.traffic.apply = apply_one
    world.go(controller, 100)
    assert world.store.rollouts()["zebra"].state.settled is not None
    assert (world.rollout.state.phase, world.rollout.is_active) == (Phase.ROLLED_BACK, False)
    assert "5 errors one after another, the last: output.parquet" in world.rollout.state.reason


def test_a_store_that_takes_nothing_for_one_rollout_stops_no_other(world):
    controller = started_beside_zebra(world)

    def refuse(change):
        if change.rollout.endpoint == NAME:
            raise TrafficNotApplied("the API does not answer")

    world.store.before_write = refuse
    assert controller.tick() is True
    assert world.store.rollouts()["zebra"].state.settled is not None
    assert world.rollout.state.settled is None


def test_the_end_of_a_rollout_is_tried_again_with_a_pause(world):
    controller = started(world)
    world.go(controller, 20, GOOD)
    world.service.obey(NAME, Command.ABORT, "bob")
    world.traffic.broken = "no gateway follows"
    controller.tick()
    revision = world.rollout.revision
    world.now += RETRY_AFTER / 2
    controller.tick()
    assert world.rollout.revision == revision
    world.traffic.broken = ""
    world.now += RETRY_AFTER
    controller.tick()
    assert (world.traffic.weight, world.rollout.is_active) == (0, False)


def test_a_promotion_for_which_there_is_no_place_comes_into_force_with_the_replicas_that_run(world):
    controller = started(world)
    world.go(controller, 20, GOOD)
    world.service.obey(NAME, Command.PROMOTE, "bob")
    world.traffic.crowded = True
    world.go(controller, CAPACITY_PATIENCE.total_seconds())
    assert (world.rollout.state.trouble, world.traffic.weight) == ("waiting for replicas", 10)
    world.go(controller, 10)
    assert (world.traffic.weight, world.rollout.is_active) == (100, False)
