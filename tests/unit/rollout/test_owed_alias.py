"""A registry that is away when a promotion comes into force: what it is owed, and who does not wait for it."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from rollout_examples import NAME, V1, V2, World, counted, wanted_endpoint

from deployments.contracts.endpoint import Metadata
from deployments.rollout.commands import Command
from deployments.rollout.errors import RegistryUnavailable
from deployments.rollout.owed_aliases import MOVED, OWED, RETRY_AFTER
from deployments.rollout.state import Phase
from deployments.rollout.status import status_of

GOOD = counted(100)
AWAY = "the registry does not call credit_risk_v1.1.0 champion: no answer"


def away(version):
    raise RegistryUnavailable(f"call {version} champion", "no answer")


@pytest.fixture
def world():
    """A registry that is away."""
    world = World.with_plan()
    world.name_champion = world.registry.name_champion
    world.registry.name_champion = away
    return world


@pytest.fixture
def promoted(world):
    """A candidate that got all traffic meanwhile."""
    world.service.start(NAME, None, "ann")
    world.go(world.controller(), 200, GOOD)
    return world


def come_back(world):
    world.registry.name_champion = world.name_champion


def actions(world):
    return [made.action for made in world.store.decisions]


def named(world):
    return [move.version for move in world.registry.moves]


def test_a_promotion_is_in_force_and_over_though_the_registry_is_away(promoted):
    assert (promoted.rollout.state.phase, promoted.traffic.weight) == (Phase.PROMOTED, 100)
    assert not promoted.rollout.is_active
    assert not promoted.rollout.is_moving  # so that drift is repaired
    assert promoted.traffic.released == [NAME]


def test_the_move_is_owed_and_made_when_the_registry_is_back(promoted):
    come_back(promoted)
    promoted.go(promoted.controller(), 10)
    assert named(promoted) == [V2]
    assert promoted.rollout.state.owed_alias is None
    promoted.go(promoted.controller(), 60)
    assert named(promoted) == [V2]


def test_what_is_owed_is_in_the_status_and_once_in_the_history_however_often_it_fails(promoted):
    owed = status_of(promoted.rollout).owed_alias
    assert (owed.model, owed.version, owed.trouble) == ("credit_risk", V2, AWAY)
    assert owed.since == promoted.rollout.state.settled
    (told,) = [made for made in promoted.store.decisions if made.action == OWED]
    assert told.detail["reason"] == f"champion is to name credit_risk_v1.1.0: {AWAY}"
    assert promoted.store.last_epoch() == told.policy_epoch
    come_back(promoted)
    promoted.go(promoted.controller(), 60)
    assert actions(promoted)[-2:] == [OWED, MOVED]
    assert status_of(promoted.rollout).owed_alias is None


def test_a_move_that_nothing_stands_against_is_no_news(world):
    come_back(world)
    world.service.start(NAME, None, "ann")
    world.go(world.controller(), 200, GOOD)
    assert named(world) == [V2]
    assert {OWED, MOVED}.isdisjoint(actions(world))


def test_another_trouble_is_told_in_the_status_alone(promoted):
    def refusing(version):
        raise RuntimeError("somebody else's library failed")

    promoted.registry.name_champion = refusing
    promoted.go(promoted.controller(), 10)
    assert promoted.rollout.state.owed_alias.trouble == "somebody else's library failed"
    assert actions(promoted).count(OWED) == 1


def test_a_registry_that_stays_away_is_asked_with_a_pause_and_written_about_once(promoted):
    asked, controller = [], promoted.controller()

    def away_and_counting(version):
        asked.append(promoted.now)
        away(version)

    promoted.registry.name_champion = away_and_counting
    revision = promoted.rollout.revision
    for _ in range(60):
        promoted.now += timedelta(seconds=1)
        controller.tick()
        promoted.aliases.look()
    assert all(later - earlier >= RETRY_AFTER for earlier, later in pairwise(asked))
    assert 10 <= len(asked) <= 13
    assert promoted.rollout.revision == revision


def test_other_endpoints_do_not_wait(world):
    wanted = wanted_endpoint()
    document = wanted.document.model_copy(update={"metadata": Metadata(name="zebra")})
    world.store.wanted["zebra"] = replace(wanted, document=document)
    world.service.start(NAME, None, "ann")
    controller = world.controller()
    world.go(controller, 200, GOOD)
    world.service.start("zebra", None, "ann")
    world.go(controller, 200, GOOD)
    assert not world.store.rollouts()["zebra"].is_active
    come_back(world)
    world.go(controller, 10)
    assert [rollout.state.owed_alias for rollout in world.store.rollouts().values()] == [None, None]


def test_the_next_rollout_of_the_endpoint_begins_and_what_is_owed_is_not_forgotten(promoted):
    back_to_first = wanted_endpoint().document
    policy = promoted.store.wanted[NAME].policy
    promoted.store.wanted[NAME] = replace(promoted.store.wanted[NAME], document=back_to_first, policy=policy)
    begun = promoted.service.start(NAME, V1, "ann")
    assert (begun.stable, begun.candidate) == (V2, V1)
    come_back(promoted)
    promoted.go(promoted.controller(), 20)
    assert named(promoted) == [V2]
    assert promoted.rollout.is_active
    promoted.go(promoted.controller(), 240, stable=GOOD, candidate=counted(1000))
    assert promoted.rollout.state.phase is Phase.PROMOTED
    assert named(promoted) == [V2, V1]


def test_a_rollout_that_ends_without_promotion_leaves_what_was_owed_before_it(promoted):
    promoted.service.start(NAME, V1, "ann")
    promoted.service.obey(NAME, Command.ABORT, "ann")
    promoted.go(promoted.controller(), 20)
    assert not promoted.rollout.is_active
    come_back(promoted)
    promoted.go(promoted.controller(), 20)
    assert named(promoted) == [V2]


def test_after_a_rollback_the_promoted_version_is_never_named(promoted):
    promoted.service.obey(NAME, Command.ROLLBACK, "bob")
    promoted.traffic.broken = "no gateway follows"
    come_back(promoted)
    promoted.go(promoted.controller(), 20)
    assert named(promoted) == []
    promoted.traffic.broken = ""
    promoted.go(promoted.controller(), 20)
    assert named(promoted) == [V1]
    assert promoted.rollout.state.owed_alias is None


@pytest.mark.parametrize("in_force", [pytest.param(False, id="decided"), pytest.param(True, id="in-force")])
def test_a_rollback_that_comes_while_the_registry_is_asked_has_the_last_word(promoted, in_force):
    def slow(version):
        promoted.registry.name_champion = promoted.name_champion
        promoted.service.obey(NAME, Command.ROLLBACK, "bob")
        if in_force:
            promoted.controller().tick()
        promoted.name_champion(version)

    promoted.registry.name_champion = slow
    promoted.go(promoted.controller(), 30)
    assert named(promoted) == [V2, V1]
    assert promoted.rollout.state.owed_alias is None


def test_another_controller_makes_the_move_that_the_first_one_owed(promoted):
    come_back(promoted)
    promoted.now += timedelta(minutes=1)
    promoted.go(promoted.controller("two"), 5)
    assert named(promoted) == [V2]


def test_who_does_not_lead_moves_nothing(promoted):
    come_back(promoted)
    second = promoted.controller("two")
    assert not second.leads()
    promoted.aliases.look()
    assert named(promoted) == []
