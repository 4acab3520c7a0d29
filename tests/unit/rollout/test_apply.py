import pytest

from deployments.contracts.endpoint import Resources, Scaling
from deployments.contracts.errors import DeployFailed, TrafficNotApplied
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.traffic_policy import GatewayConfig, TrafficPolicy
from deployments.rollout import serve_config
from deployments.rollout.apply import Applier
from deployments.rollout.serve_config import GATEWAY, MONITOR, Platform, Pool
from deployments.rollout.serve_target import MemoryTarget
from deployments.routing.slot_table import SlotTable

V1, V2 = Version(1, 0, 0), Version(1, 1, 0)


def pool(version: Version, digest: str = "d") -> Pool:
    return Pool(ModelVersion("credit_risk", version), f"/models/{version}", digest, Scaling(), Resources())


def policies(epoch: int, weights: dict[Version, float]) -> GatewayConfig:
    policy = TrafficPolicy(
        endpoint="credit-risk",
        model="credit_risk",
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
    return Applier(target, Platform(environment="test"), sleep=ticks.sleep, clock=ticks.clock)


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


def test_a_version_that_leaves_keeps_its_pool_until_nobody_is_sent_there(applier, target):
    apply(applier, [pool(V1), pool(V2)], policies(1, {V1: 90, V2: 10}))
    apply(applier, [pool(V1)], policies(2, {V1: 100}))
    staged, switched, final = target.puts[2:]
    assert "credit_risk_v1.1.0" in served(staged)
    assert "credit_risk_v1.1.0" in served(switched)
    assert weights_sent(switched) == [[["1.0.0", 10_000]]]
    assert "credit_risk_v1.1.0" not in served(final)


def test_a_pool_that_does_not_come_up_leaves_the_cluster_as_it_was(applier, target):
    apply(applier, [pool(V1)], policies(1, {V1: 100}))
    before = target.puts[-1]
    target.broken["credit_risk_v1.1.0"] = "no such package"
    with pytest.raises(DeployFailed, match=r"credit_risk_v1\.1\.0 did not come up: no such package"):
        applier.bring_up([pool(V1), pool(V2)], lambda text: None)
    assert served(target.puts[-1]) == served(before)
    assert weights_sent(target.puts[-1]) == weights_sent(before)


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


def test_a_first_apply_that_fails_leaves_nothing_behind(applier, target):
    target.broken["credit_risk_v1.0.0"] = "no such package"
    with pytest.raises(DeployFailed):
        applier.bring_up([pool(V1)], lambda text: None)
    assert served(target.puts[-1]) == []


def test_no_traffic_goes_to_a_pool_that_does_not_run(applier, target):
    apply(applier, [pool(V1)], policies(1, {V1: 100}))
    applier.check_up({"credit_risk_v1.0.0"})
    with pytest.raises(TrafficNotApplied, match=r"credit_risk_v1\.1\.0: the pool is not running"):
        applier.check_up({"credit_risk_v1.0.0", "credit_risk_v1.1.0"})


def test_without_a_monitor_the_word_of_serve_must_do(applier, target, monkeypatch):
    monkeypatch.setattr(target, "policy_epochs", lambda: None)
    apply(applier, [pool(V1)], policies(1, {V1: 100}))
    assert target.state().gateway_config["endpoints"][0]["policy_epoch"] == 1


def test_a_pool_updates_with_surge_so_that_one_replica_is_never_none():
    config = serve_config.build(Platform(environment="test"), [pool(V1)], GatewayConfig())
    (application,) = [found for found in config["applications"] if found["name"] == "credit_risk_v1.0.0"]
    assert application["deployments"][0]["max_surge_percent"] == 100
    assert application["route_prefix"] is None
