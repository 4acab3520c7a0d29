"""Reloading: what the registry's aliases name is served, all of it or nothing."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from reload_stack import NOON, V1, V2, Stack, document

from deployments.contracts.errors import DeployFailed, InvalidDocument, TrafficNotApplied
from deployments.contracts.model_version import Version
from deployments.rollout import aliases, policy
from deployments.rollout.errors import ApprovalRequired, RolloutRunning
from deployments.rollout.registry import MemoryRegistry
from deployments.rollout.reloads import Reloads, ReloadState
from deployments.rollout.serve_config import GATEWAY
from deployments.rollout.service import RolloutService

V3 = Version(1, 2, 0)


@pytest.fixture
def stack(tmp_path):
    served = Stack(tmp_path)
    served.serve(document("auto"), document("home"))
    return served


def test_the_version_that_the_alias_names_replaces_the_old_one(stack):
    stack.registry.aliases["lead_auto", "champion"] = V2
    before = len(stack.target.puts)
    assert stack.run() == {"auto": "1.1.0", "home": "1.0.0"}
    beside = {application["name"] for application in stack.target.puts[before]["applications"]}
    assert {"lead_auto_v1.0.0", "lead_auto_v1.1.0"} <= beside
    assert stack.unused == ("lead_auto_v1.0.0",)


def test_reloading_again_changes_nothing(stack):
    stack.registry.aliases["lead_auto", "champion"] = V2
    stack.run()
    epoch, history = stack.store.last_epoch(), stack.store.history("lead-auto")
    assert stack.run() == {"auto": "1.1.0", "home": "1.0.0"}
    assert (stack.store.last_epoch(), stack.store.history("lead-auto")) == (epoch, history)


def test_a_version_that_does_not_come_up_leaves_all_endpoints_as_they_were(stack):
    stack.registry.aliases["lead_auto", "champion"] = V2
    stack.registry.aliases["lead_home", "champion"] = V2
    stack.target.broken["lead_home_v1.1.0"] = "no such package"
    epoch = stack.store.last_epoch()
    with pytest.raises(DeployFailed, match="no such package"):
        stack.run()
    assert stack.running == {"lead_auto_v1.0.0", "lead_home_v1.0.0"}
    assert stack.store.last_epoch() == epoch


def test_an_alias_that_names_nothing_is_told_and_nothing_changes(stack):
    stack.registry.aliases["lead_auto", "champion"] = V2
    del stack.registry.aliases["lead_home", "champion"]
    with pytest.raises(InvalidDocument, match="no version of lead_home has the alias 'champion'"):
        stack.run()
    assert stack.running == {"lead_auto_v1.0.0", "lead_home_v1.0.0"}


def test_a_registry_that_hangs_holds_nobody_up(stack):
    held, asked = [], []

    @contextmanager
    def alone():
        held.append(True)
        yield
        held.pop()

    class Registry(MemoryRegistry):
        def version_named(self, model, alias):
            asked.append(bool(held))
            return V2

    assert replace(stack.reload, registry=Registry(), alone=alone).run("ada", print)["auto"] == "1.1.0"
    assert asked == [False, False]


def test_an_endpoint_that_comes_while_the_registry_is_asked_waits_for_the_next_reload(stack):
    @contextmanager
    def alone():
        stack.serve(document("life"))
        yield

    stack.registry.aliases["lead_auto", "champion"] = V2
    assert replace(stack.reload, alone=alone).run("ada", print) == {
        "auto": "1.1.0",
        "home": "1.0.0",
        "life": "1.0.0",
    }


def test_a_fixed_number_does_not_follow_the_alias(tmp_path):
    stack = Stack(tmp_path)
    stack.serve(document("auto", alias=None))
    stack.registry.aliases["lead_auto", "champion"] = V2
    assert stack.run() == {"auto": "1.0.0"}


def test_a_rollout_keeps_its_endpoint(stack):
    two = document("life", versions=[{"version": "1.1.0", "role": "candidate"}])
    stack.serve(two)
    service = RolloutService(stack.rollouts, lambda: NOON, lambda model, version: None)
    service.start("lead-life", None, "ada")
    stack.registry.aliases["lead_life", "champion"] = V2
    with pytest.raises(RolloutRunning):
        stack.run()


def test_a_version_of_high_risk_that_nobody_approved_is_not_served(stack):
    stack.registry.aliases["lead_auto", "champion"] = V2
    stack.unapproved.add(V2)
    with pytest.raises(ApprovalRequired):
        stack.run()
    assert stack.running == {"lead_auto_v1.0.0", "lead_home_v1.0.0"}


def test_a_crash_between_decision_and_gateways_is_finished_by_the_next_reload(stack):
    stack.registry.aliases["lead_auto", "champion"] = V2

    def crash(config):
        if len(stack.target.puts) == puts + 1:
            raise TrafficNotApplied("the controller dies here")

    puts = len(stack.target.puts)
    stack.target.on_put = crash
    with pytest.raises(TrafficNotApplied):
        stack.run()
    stack.target.on_put = lambda config: None
    assert stack.run()["auto"] == "1.1.0"
    assert "lead_auto_v1.1.0" in stack.running
    assert stack.target.policy_epochs()["lead-auto"] == [stack.store.endpoints()["lead-auto"].policy.policy_epoch]


def test_a_gateway_that_fails_after_the_decision_is_finished_with_when_it_is_asked_for_again(stack):
    stack.registry.aliases["lead_auto", "champion"] = V2
    puts = len(stack.target.puts)

    def fail_at_the_switch(config):
        if len(stack.target.puts) > puts:
            stack.target.broken[GATEWAY] = "out of memory"

    stack.target.on_put = fail_at_the_switch
    made = reloads(stack, lambda actor: stack.run())
    ended = made.wait(made.ask("ada", "key").id, 10)
    assert stack.store.endpoints()["lead-auto"].policy.stable == V2
    assert (ended.status, ended.may_pass) == (ReloadState.FAILED, True)
    assert ended.reason.startswith("decided, but not in force:")
    stack.target.on_put = lambda config: None
    stack.target.broken.clear()
    assert made.wait(made.ask("ada", "key").id, 10).versions["auto"] == "1.1.0"


def test_the_new_version_has_the_weight_of_the_old_and_other_weights_stay():
    split = {"split": {"1.0.0": 90, "1.1.0": 10}}
    before = document("auto", traffic=split, versions=[{"version": "1.1.0", "role": "candidate"}])
    in_force = policy.with_weights(policy.from_document(before, 1), {V1: 70, V2: 30}, 2)
    after = aliases.renumbered(before, V3)
    made = aliases.policy_of(after, V3, 3, in_force)
    assert (made.stable, made.versions) == (V3, (V2, V3))
    assert dict(made.slots) == {V3: 7000, V2: 3000}
    assert after.spec.weights == {V3: 90, V2: 10}


def test_a_candidate_that_becomes_champion_is_the_only_version():
    split = {"split": {"stable": 90, "candidate": 10}}
    before = document("auto", traffic=split, versions=[{"version": "1.1.0", "role": "candidate"}])
    after = aliases.renumbered(before, V2)
    made = aliases.policy_of(after, V2, 2, policy.from_document(before, 1))
    assert (after.spec.weights, made.versions, made.slots) == ({V2: 100}, (V2,), ((V2, 10_000),))


def test_a_rule_for_stable_follows_it():
    rule = {"name": "staff", "when": {"header": {"x-staff": "yes"}}, "version": "1.0.0"}
    before = document("auto", traffic={"split": {"stable": 100}, "rules": [rule]})
    assert aliases.renumbered(before, V2).spec.traffic.rules[0].version == V2


def test_what_would_be_no_sound_endpoint_is_refused():
    traffic = {"split": {"stable": 50, "candidate": 50}, "bandit": {}}
    before = document("auto", traffic=traffic, versions=[{"version": "1.1.0", "role": "candidate"}])
    with pytest.raises(InvalidDocument, match="bandit: 1 arms"):
        aliases.renumbered(before, V2)


def test_an_unchanged_file_keeps_the_version_that_the_alias_got_meanwhile():
    file = document("auto")
    served = aliases.renumbered(file, V2)
    assert aliases.kept(file, served, stable=V2) == served
    assert aliases.kept(document("auto", alias=None), served, stable=V2).spec.stable == V1


def test_a_file_that_names_the_version_which_a_promotion_made_stable_is_taken_at_its_word():
    file = document("auto")
    promoted = aliases.renumbered(file, V2)
    assert aliases.kept(promoted, file, stable=V2) == promoted


def test_only_the_stable_version_follows_an_alias():
    with pytest.raises(InvalidDocument, match="only the stable version follows an alias"):
        document("auto", versions=[{"version": "1.1.0", "role": "candidate", "alias": "challenger"}])


def reloads(stack, run):
    return Reloads(stack.file, run, lambda: NOON)


def test_a_reload_is_remembered_with_its_end(stack):
    made = reloads(stack, lambda actor: {"auto": "1.1.0"})
    done = made.wait(made.ask("ada").id, 10)
    assert (done.status, done.versions, done.actor) == (ReloadState.SUCCESS, {"auto": "1.1.0"}, "ada")


def test_the_same_key_is_the_same_reload(stack):
    runs = []
    made = reloads(stack, lambda actor: runs.append(actor) or {})
    first = made.ask("ada", "key")
    made.wait(first.id, 10)
    assert made.ask("ada", "key").id == first.id
    assert made.ask("bob", "key").id != first.id
    made.wait(made.ask("bob", "key").id, 10)
    assert sorted(runs) == ["ada", "bob"]


def test_the_next_controller_goes_on_with_what_one_had_begun(stack):
    import threading

    never = threading.Event()
    killed = reloads(stack, lambda actor: never.wait(20) or {})
    begun = killed.ask("ada")
    following = reloads(stack, lambda actor: {"auto": "1.1.0"})
    told = []
    following.told = told.append
    following.go_on()
    assert following.wait(begun.id, 10).status is ReloadState.SUCCESS
    assert [(record.id, record.actor) for record in told] == [(begun.id, "ada")]
    never.set()
    killed.close()


def test_a_reload_that_fails_says_why(stack):
    def fail(actor):
        raise DeployFailed("lead_auto_v1.1.0", "no such package")

    made = reloads(stack, fail)
    done = made.wait(made.ask("ada").id, 10)
    assert (done.status, "no such package" in done.reason) == (ReloadState.FAILED, True)


def test_a_reload_that_fails_for_a_reason_that_nobody_foresaw_goes_on_when_it_is_asked_for_again(stack):
    problems = [RuntimeError("no space left")]

    def fail_once(actor):
        if problems:
            raise problems.pop()
        return {"auto": "1.1.0"}

    made = reloads(stack, fail_once)
    failed = made.wait(made.ask("ada", "key").id, 10)
    assert (failed.may_pass, failed.reason) == (True, "an unexpected RuntimeError")
    assert made.wait(made.ask("ada", "key").id, 10).status is ReloadState.SUCCESS
