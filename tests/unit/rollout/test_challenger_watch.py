from datetime import timedelta

import pytest
from rollout_examples import NAME, TWO_STEPS, V1, V2, World

from deployments.contracts.model_version import Version
from deployments.rollout import policy
from deployments.rollout.challenger_watch import ACTOR, ChallengerWatch
from deployments.rollout.commands import Command
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.service import RolloutService


class Watched:
    """A world with a watch on its registry; a new one over the same memory after every restart."""

    def __init__(self, file, plan):
        self.file, self.world = file, World.with_plan(plan)

    def look(self, challenger):
        self.world.now += timedelta(seconds=10)
        self.world.registry.challengers = {} if challenger is None else {"credit_risk": challenger}
        world = self.world
        ChallengerWatch(self.file, world.registry, world.service, world.store.endpoints).look()

    @property
    def started(self):
        return [made for made in self.world.store.decisions if made.action == "rollout progressing"]


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path / "endpoints.db", f"{TWO_STEPS}, startOn: challenger")


def test_a_move_of_the_alias_starts_one_rollout(watched):
    watched.look(None)
    watched.look(V2)
    watched.look(V2)
    assert len(watched.started) == 1
    assert (watched.world.rollout.candidate, watched.world.rollout.started_by) == (V2, ACTOR)


def test_what_the_alias_names_already_starts_nothing(watched):
    watched.look(V2)
    watched.look(V2)
    assert watched.started == []


@pytest.mark.parametrize(
    "named",
    [pytest.param(V1, id="stable-itself"), pytest.param(Version(7, 0, 0), id="no-version-of-the-endpoint")],
)
def test_a_version_that_cannot_be_rolled_out_starts_nothing(watched, named):
    watched.look(None)
    watched.look(named)
    assert watched.started == []


def test_a_version_that_was_withdrawn_waits_for_another_move(watched):
    watched.look(None)
    watched.look(V2)
    watched.world.service.obey(NAME, Command.ABORT, "bob")
    watched.world.controller().tick()
    watched.look(V2)
    assert len(watched.started) == 1
    watched.look(None)
    watched.look(V2)
    assert len(watched.started) == 2


def with_one_more(wanted, version):
    """The endpoint with another candidate."""
    spec = wanted.document.spec
    added = spec.versions[-1].model_copy(update={"version": version})
    changed = spec.model_copy(update={"versions": (*spec.versions, added)})
    document = wanted.document.model_copy(update={"spec": changed})
    return WantedEndpoint(document, 2, policy.from_document(document, 2, wanted.policy))


def test_while_another_rollout_runs_a_move_waits_for_its_end(watched):
    third = Version(1, 2, 0)
    watched.world.store.wanted[NAME] = with_one_more(watched.world.store.wanted[NAME], third)
    watched.look(None)
    watched.world.service.start(NAME, third, "ann")
    watched.look(V2)
    watched.look(V2)
    assert watched.world.rollout.candidate == third
    watched.world.service.obey(NAME, Command.ABORT, "bob")
    watched.world.controller().tick()
    watched.look(V2)
    assert (watched.world.rollout.candidate, watched.world.rollout.started_by) == (V2, ACTOR)


def test_a_version_that_was_at_it_already_when_the_alias_moved_is_not_tried_again(watched):
    watched.look(None)
    watched.world.service.start(NAME, V2, "ann")
    watched.look(V2)
    watched.world.service.obey(NAME, Command.ABORT, "bob")
    watched.world.controller().tick()
    watched.look(V2)
    assert len(watched.started) == 1


class Dying(RolloutService):
    """Its process dies as soon as a rollout has begun."""

    def start(self, endpoint, candidate, actor):
        super().start(endpoint, candidate, actor)
        raise SystemExit


def test_a_controller_that_dies_after_it_followed_a_move_does_not_follow_it_again(watched):
    watched.look(None)
    world = watched.world
    world.registry.challengers = {"credit_risk": V2}
    dying = Dying(world.store, lambda: world.now, lambda model, version: None)
    with pytest.raises(SystemExit):
        ChallengerWatch(watched.file, world.registry, dying, world.store.endpoints).look()
    world.service.obey(NAME, Command.ABORT, "bob")
    world.controller().tick()
    watched.look(V2)
    assert len(watched.started) == 1


def test_a_move_in_a_freeze_starts_its_rollout_after_it(tmp_path):
    plan = f"{TWO_STEPS}, startOn: challenger, freeze: [{{days: [saturday], begins: '11:00', ends: '13:00'}}]"
    watched = Watched(tmp_path / "endpoints.db", plan)
    watched.look(None)
    watched.look(V2)
    assert watched.started == []
    watched.world.now += timedelta(hours=1)
    watched.look(V2)
    assert len(watched.started) == 1


def test_without_a_word_of_the_plan_the_alias_starts_nothing(tmp_path):
    watched = Watched(tmp_path / "endpoints.db", TWO_STEPS)
    watched.look(None)
    watched.look(V2)
    assert watched.started == []
