"""Reloading: what the registry's aliases name is served, all of it or nothing."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml

from deployments.access.policy import AccessPolicy, Mode
from deployments.contracts import endpoint
from deployments.contracts.endpoint import Resources, Scaling
from deployments.contracts.errors import DeployFailed, InvalidDocument, TrafficNotApplied
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.traffic_policy import GatewayConfig
from deployments.gateway.arguments import GatewayArguments
from deployments.rollout import aliases, policy
from deployments.rollout.apply import Applier
from deployments.rollout.endpoint_store import EndpointStore, WantedEndpoint
from deployments.rollout.errors import ApprovalRequired, RolloutRunning
from deployments.rollout.registry import MemoryRegistry
from deployments.rollout.reload import Reload
from deployments.rollout.reloads import Reloads, ReloadState
from deployments.rollout.serve_config import Platform, Pool
from deployments.rollout.serve_target import MemoryTarget
from deployments.rollout.service import RolloutService
from deployments.rollout.sqlite_rollout_store import SqliteRolloutStore

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
V1, V2, V3 = Version(1, 0, 0), Version(1, 1, 0), Version(1, 2, 0)


def document(vertical, alias="champion", traffic=None, versions=()):
    stable = {"version": "1.0.0", "role": "stable", **({"alias": alias} if alias else {})}
    return endpoint.parse(
        yaml.safe_dump(
            {
                "apiVersion": "raygate.io/v1alpha1",
                "kind": "ModelEndpoint",
                "metadata": {"name": f"lead-{vertical}"},
                "spec": {
                    "model": f"lead_{vertical}",
                    "versions": [stable, *versions],
                    "traffic": traffic or {"split": {"stable": 100}},
                    "documents": {
                        "pre": "leads.a:pre",
                        "post": "leads.a:post",
                        "route": {"path": "/api/v1/score", "field": "vertical", "value": vertical},
                    },
                },
            }
        ),
        "endpoint.yaml",
    )


def pools_of(served):
    return [
        Pool(ModelVersion(served.spec.model, one.version), "/models", "digest", Scaling(), Resources())
        for one in served.spec.versions
    ]


def gateway_of(store):
    return GatewayConfig(endpoints=tuple(endpoint.policy for endpoint in store.endpoints().values()))


class Stack:
    """Endpoints in a control database and a cluster in memory."""

    def __init__(self, directory):
        self.file = directory / "endpoints.db"
        self.store = EndpointStore(self.file)
        self.target = MemoryTarget()
        self.registry, self.unapproved = MemoryRegistry(), set()
        gateway = GatewayArguments(access=AccessPolicy(mode=Mode.INSECURE_LOCAL))
        self.applier = Applier(self.target, Platform("test", gateway), sleep=lambda seconds: None)
        self.rollouts = SqliteRolloutStore(self.file)
        self.reload = Reload(self.store, self, self.registry, self.applier, lambda: NOON)

    def pools(self, wanted):
        return pools_of(wanted.document)

    def check_owned(self, name):
        running = self.rollouts.rollouts().get(name)
        if running is not None and running.is_active:
            raise RolloutRunning(name, running.name, running.state.phase)

    def check_approved(self, made):
        if made.stable in self.unapproved:
            raise ApprovalRequired(made.endpoint, str(made.stable))

    def serve(self, *documents):
        for made in documents:
            epoch = self.store.last_epoch() + 1
            self.store.decide(WantedEndpoint(made, 1, policy.from_document(made, epoch)), "apply", {}, NOON)
            self.registry.aliases[made.spec.model, "champion"] = V1
        wanted = self.store.endpoints().values()
        pools = [pool for endpoint in wanted for pool in pools_of(endpoint.document)]
        self.applier.bring_up(pools, lambda message: None)
        self.applier.switch(pools, gateway_of(self.store), lambda message: None)

    def run(self):
        return self.reload.run("ada", lambda message: None)

    @property
    def running(self):
        return {name for name in self.target.state().applications if "_v" in name}

    @property
    def unused(self):
        """Pools that the controller removes once the way back need not be short any more."""
        return self.applier.superfluous(gateway_of(self.store))


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
