"""A registry that was not told of a promotion yet says what was before it; nobody is served that again."""

from dataclasses import replace

import pytest
from reload_stack import NOON, V2, Stack, document

from deployments.contracts.model_version import ModelVersion
from deployments.rollout import transitions
from deployments.rollout.change import change_of
from deployments.rollout.registry import MemoryRegistry
from deployments.rollout.rollout_store import Change
from deployments.rollout.service import RolloutService
from ray_apps.admission import Admission
from ray_apps.settings import Settings


@pytest.fixture
def stack(tmp_path):
    """An endpoint with a candidate."""
    served = Stack(tmp_path)
    served.serve(document("life", versions=[{"version": "1.1.0", "role": "candidate"}]))
    return served


def promote(stack):
    """A promotion comes into force, and the registry is not told of it yet."""
    begun = RolloutService(stack.rollouts, lambda: NOON, lambda *version: None).start("lead-life", None, "ada")
    state = transitions.promote(begun.state, begun.plan, "", NOON)
    settled = transitions.settle(state, NOON, ModelVersion(begun.model, begun.candidate))
    decided = stack.rollouts.write(change_of(stack.rollouts, begun.at(state), NOON))
    stack.rollouts.write(Change(decided.at(settled)))


def tell(stack):
    """The registry is told: nothing is owed any more."""
    told = stack.rollouts.rollouts()["lead-life"]
    stack.rollouts.write(Change(told.at(told.state.model_copy(update={"owed_alias": None}))))


def reload_while(stack, happens):
    """Reload, and let something happen while the registry is asked, which gives its word of before."""

    class Registry(MemoryRegistry):
        def version_named(self, model, alias):
            happens(stack)
            return stack.registry.version_named(model, alias)

    return replace(stack.reload, registry=Registry()).run("ada", print)


def test_the_local_control_plane_knows_what_is_owed(stack, tmp_path):
    promote(stack)
    local = Admission(Settings(state_directory=tmp_path), stack.store)
    assert local.owed_champion("lead-life") == ModelVersion("lead_life", V2)
    assert local.owed_champion("lead-auto") is None


def was_reloaded(stack):
    return "reload" in [made.action for made in stack.store.history("lead-life")]


def test_an_old_word_of_the_registry_takes_no_promotion_back(stack):
    promote(stack)
    assert stack.run()["life"] == "1.1.0"
    assert not was_reloaded(stack)


def test_nor_does_one_that_it_gave_just_before_it_was_told(stack):
    promote(stack)
    assert reload_while(stack, tell)["life"] == "1.1.0"
    assert not was_reloaded(stack)


def test_nor_does_one_that_it_gave_just_before_the_promotion(stack):
    assert reload_while(stack, promote)["life"] == "1.1.0"
    assert not was_reloaded(stack)
