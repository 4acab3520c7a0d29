from contextlib import contextmanager
from dataclasses import replace

import pytest

from deployments.access.policy import AccessPolicy, Mode
from deployments.contracts.endpoint import Resources, Scaling
from deployments.contracts.errors import DeployFailed, TrafficNotApplied
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.traffic_policy import GatewayConfig, TrafficPolicy
from deployments.gateway.arguments import GatewayArguments
from deployments.rollout import serve_config
from deployments.rollout.apply import Applier
from deployments.rollout.errors import CapacityComing
from deployments.rollout.serve_config import GATEWAY, MONITOR, Platform, Pool
from deployments.rollout.serve_target import ApplicationState, MemoryTarget, ServeState
from deployments.routing.slot_table import SlotTable

GATEWAY_ARGUMENTS = GatewayArguments(access=AccessPolicy(mode=Mode.INSECURE_LOCAL))
V1, V2 = Version(1, 0, 0), Version(1, 1, 0)


def pool(version: Version, digest: str = "d") -> Pool:
    return Pool(ModelVersion("credit_risk", version), f"/models/{version}", digest, Scaling(), Resources())


def policies(epoch: int, weights: dict[Version, float], name: str = "credit-risk") -> GatewayConfig:
    policy = TrafficPolicy(
        endpoint=name,
        model=name.replace("-", "_"),
        policy_epoch=epoch,
        stable=V1,
        versions=tuple(weights),
        slots=SlotTable.of(weights).runs,
        salt="s",
    )
    return GatewayConfig(endpoints=(policy,))


class Ticks:
    """A clock that moves only when somebody sleeps."""

    now = 0.0

    def sleep(self, seconds):
        self.now += seconds

    def clock(self):
        return self.now


@pytest.fixture
def target():
    return MemoryTarget()


@pytest.fixture
def applier(target):
    ticks = Ticks()
    return Applier(target, Platform("test", GATEWAY_ARGUMENTS), sleep=ticks.sleep, clock=ticks.clock)


def apply(applier, pools, gateway):
    applier.bring_up(pools, lambda text: None)
    applier.switch(pools, gateway, lambda text: None)


def served(config):
    return [application["name"] for application in config["applications"]]


def weights_sent(config):
    gateway = next(application for application in config["applications"] if application["name"] == GATEWAY)
    return [policy["slots"] for policy in gateway["deployments"][0]["user_config"]["endpoints"]]


def test_pools_come_up_before_any_traffic_is_sent_to_them(applier, target):
    apply(applier, [pool(V1)], policies(1, {V1: 100}))
    first, second = target.puts
    assert served(first) == served(second) == [MONITOR, "credit_risk_v1.0.0", GATEWAY]
    assert weights_sent(first) == []
    assert weights_sent(second) == [[["1.0.0", 10_000]]]


def test_a_new_version_gets_its_pool_while_the_old_split_stays_in_force(applier, target):
    apply(applier, [pool(V1)], policies(1, {V1: 100}))
    apply(applier, [pool(V1), pool(V2)], policies(2, {V1: 90, V2: 10}))
    staged, switched = target.puts[2:]
    assert "credit_risk_v1.1.0" in served(staged)
    assert weights_sent(staged) == [[["1.0.0", 10_000]]]
    assert weights_sent(switched) == [[["1.0.0", 9000], ["1.1.0", 1000]]]


def test_a_version_that_leaves_keeps_its_pool_until_it_is_retired(applier, target):
    apply(applier, [pool(V1), pool(V2)], policies(1, {V1: 90, V2: 10}))
    apply(applier, [pool(V1)], policies(2, {V1: 100}))
    staged, switched = target.puts[2:]
    assert "credit_risk_v1.1.0" in served(staged)
    assert "credit_risk_v1.1.0" in served(switched)
    assert weights_sent(switched) == [[["1.0.0", 10_000]]]
    assert applier.superfluous(policies(2, {V1: 100})) == ("credit_risk_v1.1.0",)
    applier.retire(policies(2, {V1: 100}))
    assert served(target.puts[-1]) == [MONITOR, GATEWAY, "credit_risk_v1.0.0"]


def test_what_somebody_changed_by_hand_is_told_line_by_line(applier, target):
    wanted = [pool(V1), pool(V2)], policies(1, {V1: 90, V2: 10})
    apply(applier, *wanted)
    assert applier.drift(*wanted) == {}
    by_hand = policies(1, {V1: 10, V2: 90})
    applier.switch([], by_hand, lambda text: None)
    (lines,) = applier.drift(*wanted).values()
    assert "raygate-gateway: runs" in lines
    gone = [line for line in lines.splitlines() if line.startswith("-") and "9000" in line]
    to_come = [line for line in lines.splitlines() if line.startswith("+") and "9000" in line]
    assert len(gone) == len(to_come) == 1


def test_a_pool_that_somebody_removed_is_told(applier, target):
    apply(applier, [pool(V1)], policies(1, {V1: 100}))
    found = applier.drift([pool(V1), pool(V2)], policies(1, {V1: 100}))
    assert list(found) == ["credit_risk_v1.1.0"]
    assert "+import_path: ray_apps.version_pool:build" in found["credit_risk_v1.1.0"]


def test_what_serve_fills_in_is_no_difference(applier, target):
    apply(applier, [pool(V1)], policies(1, {V1: 100}))
    for application in target.puts[-1]["applications"]:
        application["external_scaler_enabled"] = False
        application["deployments"][0]["logging_config"] = {}
    assert applier.drift([pool(V1)], policies(1, {V1: 100})) == {}


def test_replicas_that_are_missing_are_asked_for_once_and_not_waited_for(applier, target):
    apply(applier, [pool(V1), pool(V2)], policies(1, {V1: 90, V2: 10}))
    target.replicas = 1
    grown = replace(pool(V2), scaling=Scaling(min_replicas=3, max_replicas=5))
    for _ in range(2):
        with pytest.raises(CapacityComing, match=r"credit_risk_v1\.1\.0 has 1 of 3"):
            applier.grow([grown])
    assert len(target.puts) == 3
    assert weights_sent(target.puts[-1]) == [[["1.0.0", 9000], ["1.1.0", 1000]]]
    target.replicas = 3
    applier.grow([grown])


def test_a_pool_that_does_not_come_up_leaves_the_cluster_as_it_was(applier, target):
    apply(applier, [pool(V1)], policies(1, {V1: 100}))
    before = target.puts[-1]
    target.broken["credit_risk_v1.1.0"] = "no such package"
    with pytest.raises(DeployFailed, match=r"credit_risk_v1\.1\.0 did not come up: no such package"):
        applier.bring_up([pool(V1), pool(V2)], lambda text: None)
    assert served(target.puts[-1]) == served(before)
    assert weights_sent(target.puts[-1]) == weights_sent(before)


@contextmanager
def somebody_else_once(does):
    """Lets somebody do something while pools are waited for, the first time."""
    done = []

    @contextmanager
    def aside():
        if not done:
            done.append(does())
        yield

    yield aside
    assert done


def test_what_others_decide_while_pools_come_up_is_not_taken_back_by_their_failure(target):
    ticks, platform = Ticks(), Platform("test", GATEWAY_ARGUMENTS)
    other = Applier(target, platform, sleep=ticks.sleep, clock=ticks.clock)
    apply(other, [pool(V1), pool(V2)], policies(1, {V1: 50, V2: 50}))
    target.replicas = 1

    def withdraw():
        other.switch([], policies(2, {V1: 100, V2: 0}), lambda text: None)
        target.broken["credit_risk_v1.2.0"] = "no such package"

    with somebody_else_once(withdraw) as aside:
        applier = Applier(target, platform, sleep=ticks.sleep, clock=ticks.clock, aside=aside)
        with pytest.raises(DeployFailed):
            applier.bring_up([replace(pool(Version(1, 2, 0)), scaling=Scaling(minReplicas=2))], lambda text: None)
    assert weights_sent(target.puts[-1]) == [[["1.0.0", 10000]]]
    assert "credit_risk_v1.2.0" not in served(target.puts[-1])


def test_applying_again_after_a_crash_between_the_steps_finishes_the_work(applier, target):
    apply(applier, [pool(V1)], policies(1, {V1: 100}))
    wanted = [pool(V1), pool(V2)], policies(2, {V1: 50, V2: 50})
    applier.bring_up(wanted[0], lambda text: None)  # and here the process dies
    apply(applier, *wanted)
    assert target.policy_epochs() == {"credit-risk": [2]}


def test_gateways_that_do_not_follow_are_told_and_not_waited_for_forever(applier, target, monkeypatch):
    applier.bring_up([pool(V1)], lambda text: None)
    monkeypatch.setattr(target, "policy_epochs", lambda: {"credit-risk": [0]})
    with pytest.raises(TrafficNotApplied, match="not every gateway follows after 30 s"):
        applier.switch([pool(V1)], policies(1, {V1: 100}), lambda text: None)


def test_the_pools_of_other_endpoints_stay_as_they_run(applier, target):
    apply(applier, [pool(V1), pool(V2)], policies(1, {V1: 90, V2: 10}))
    applier.switch([], policies(2, {V1: 50, V2: 50}), lambda text: None)
    assert {"credit_risk_v1.0.0", "credit_risk_v1.1.0"} <= set(served(target.puts[-1]))
    assert weights_sent(target.puts[-1]) == [[["1.0.0", 5000], ["1.1.0", 5000]]]


@pytest.fixture
def both(target):
    """Two endpoints in force at epoch 1, of which the second has decided on more and waits for its replicas."""
    ticks, waiting = Ticks(), set()
    applier = Applier(
        target, Platform("test", GATEWAY_ARGUMENTS), None, ticks.sleep, ticks.clock, waiting=lambda: waiting
    )
    first, second = policies(1, {V1: 100, V2: 0}), policies(1, {V1: 90, V2: 10}, "churn")
    apply(applier, [pool(V1), pool(V2)], together(first, second))
    waiting.add("churn")
    return applier


def together(*gateways):
    return GatewayConfig(endpoints=tuple(policy for each in gateways for policy in each.endpoints))


DECIDED = together(policies(2, {V1: 50, V2: 50}), policies(2, {V1: 50, V2: 50}, "churn"))


def test_a_policy_that_waits_for_replicas_comes_not_into_force_with_another_endpoints(both, target):
    both.switch([], DECIDED, lambda text: None)
    assert target.policy_epochs() == {"credit-risk": [2], "churn": [1]}
    both.retire(DECIDED)
    assert target.policy_epochs() == {"credit-risk": [2], "churn": [1]}
    assert both.drift([], DECIDED) == {}


def test_a_policy_that_waited_comes_into_force_when_its_replicas_are_there(both, target):
    both.switch([], DECIDED, lambda text: None, ready="churn")
    assert target.policy_epochs() == {"credit-risk": [2], "churn": [2]}


def test_a_policy_that_waits_is_given_to_gateways_that_know_none(both, target):
    target.puts.clear()
    both.switch([], DECIDED, lambda text: None)
    assert target.policy_epochs() == {"credit-risk": [2], "churn": [2]}


def test_a_first_apply_that_fails_leaves_nothing_behind(applier, target):
    target.broken["credit_risk_v1.0.0"] = "no such package"
    with pytest.raises(DeployFailed):
        applier.bring_up([pool(V1)], lambda text: None)
    assert served(target.puts[-1]) == []


def test_no_traffic_goes_to_a_pool_that_does_not_run(applier, target):
    apply(applier, [pool(V1)], policies(1, {V1: 100}))
    applier.check_up({"credit_risk_v1.0.0"})
    with pytest.raises(TrafficNotApplied, match=r"credit_risk_v1\.1\.0: no replica of the pool is running"):
        applier.check_up({"credit_risk_v1.0.0", "credit_risk_v1.1.0"})


def test_traffic_goes_to_a_pool_that_is_replacing_one_of_its_replicas(applier, target, monkeypatch):
    healing = ApplicationState("DEPLOYING", False, "a replica died", {}, replicas=1)
    monkeypatch.setattr(target, "state", lambda: ServeState({"credit_risk_v1.0.0": healing}))
    applier.check_up({"credit_risk_v1.0.0"})


def test_without_a_monitor_the_word_of_serve_must_do(applier, target, monkeypatch):
    monkeypatch.setattr(target, "policy_epochs", lambda: None)
    apply(applier, [pool(V1)], policies(1, {V1: 100}))
    assert target.state().gateway_config["endpoints"][0]["policy_epoch"] == 1


def test_a_pool_updates_with_surge_so_that_one_replica_is_never_none():
    config = serve_config.build(Platform("test", GATEWAY_ARGUMENTS), [pool(V1)], GatewayConfig())
    (application,) = [found for found in config["applications"] if found["name"] == "credit_risk_v1.0.0"]
    assert application["deployments"][0]["max_surge_percent"] == 100
    assert application["route_prefix"] is None
