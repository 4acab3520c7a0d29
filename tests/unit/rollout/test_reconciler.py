"""Serve changed by hand, and pools that nobody needs any more, over a cluster in memory."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta

import pytest
from rollout_examples import NAME, NOON, V1, V2, World, counted, wanted_endpoint

from deployments.access.policy import AccessPolicy, Mode
from deployments.contracts.endpoint import Resources, Scaling
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.traffic_policy import GatewayConfig
from deployments.gateway.arguments import GatewayArguments
from deployments.rollout import capacity, policy
from deployments.rollout.apply import Applier
from deployments.rollout.endpoint_store import EndpointStore
from deployments.rollout.errors import RegistryUnavailable
from deployments.rollout.reconciler import REPAIRED, Domain, Reconciler
from deployments.rollout.serve_config import Platform, Pool
from deployments.rollout.serve_target import MemoryTarget
from deployments.rollout.sqlite_rollout_store import SqliteRolloutStore

GRACE = timedelta(minutes=1)


def pool(version):
    return Pool(ModelVersion("credit_risk", version), "/models", "d", Scaling(), Resources())


class Cluster:
    """A cluster that runs what was decided, and a reconciler that looks after it."""

    def __init__(self, file):
        self.now, self.moving, self.awaited = NOON, False, False
        self.target, self.store = MemoryTarget(), EndpointStore(file)
        self.applier = Applier(
            self.target, Platform("test", GatewayArguments(access=AccessPolicy(mode=Mode.INSECURE_LOCAL)))
        )
        self.wanted = wanted_endpoint()
        self.store.decide(self.wanted, "apply", {}, NOON)
        self.applier.bring_up(self.pools(), lambda text: None)
        self.applier.switch(self.pools(), self.policies(), lambda text: None)
        self.locked = 0
        self.reconciler = Reconciler(
            Domain(
                store=self.store,
                applier=self.applier,
                pools=lambda wanted: self.pools(),
                is_moving=lambda: self.moving,
                clock=lambda: self.now,
                alone=self.alone,
                grace=GRACE,
                is_awaited=lambda: self.awaited,
            )
        )

    def pools(self):
        return [pool(V1), pool(V2)]

    def policies(self, weights=None):
        made = self.wanted.policy
        return GatewayConfig(
            endpoints=(policy.with_weights(made, weights, made.policy_epoch) if weights else made,)
        )

    def alone(self):
        self.locked += 1
        return nullcontext()

    def least(self, name):
        (found,) = [each for each in self.target.puts[-1]["applications"] if each["name"] == name]
        return found["deployments"][0]["autoscaling_config"]["min_replicas"]

    def runs(self):
        return {application["name"] for application in self.target.puts[-1]["applications"]}


@pytest.fixture
def cluster(tmp_path):
    return Cluster(tmp_path / "endpoints.db")


def test_where_everything_runs_as_decided_nothing_is_done(cluster):
    puts = len(cluster.target.puts)
    cluster.now += timedelta(hours=1)
    cluster.reconciler.look()
    assert (len(cluster.target.puts), cluster.locked) == (puts, 0)


def test_weights_that_somebody_changed_by_hand_are_noticed_said_and_repaired(cluster):
    cluster.applier.switch([], cluster.policies({V1: 10, V2: 90}), lambda text: None)
    cluster.reconciler.look()
    assert cluster.applier.drift(cluster.pools(), cluster.policies()) == {}
    last = cluster.store.history(NAME)[-1]
    assert last.action == "drift repaired"
    assert last.detail["reason"] == "Serve was asked for something else than was decided: raygate-gateway"
    assert "raygate-gateway: runs" in last.detail["differences"]["raygate-gateway"]


def test_a_pool_that_somebody_deleted_comes_back(cluster):
    config = cluster.target.puts[-1]
    left = [application for application in config["applications"] if application["name"] != "credit_risk_v1.1.0"]
    cluster.target.put({**config, "applications": left})
    cluster.reconciler.look()
    assert "credit_risk_v1.1.0" in cluster.runs()


def test_nothing_is_repaired_while_weights_are_on_their_way(cluster):
    cluster.applier.switch([], cluster.policies({V1: 10, V2: 90}), lambda text: None)
    cluster.moving = True
    cluster.reconciler.look()
    assert cluster.store.history(NAME)[-1].action == "apply"


def test_nothing_is_repaired_while_somebody_waits_for_pools(cluster):
    """They are more than was decided, and the decision comes once they are up."""
    cluster.applier.ask_for([replace(pool(V2), scaling=Scaling(min_replicas=2, max_replicas=2))])
    cluster.awaited = True
    cluster.reconciler.look()
    assert (cluster.store.history(NAME)[-1].action, cluster.locked) == ("apply", 0)
    cluster.awaited = False
    cluster.reconciler.look()
    assert cluster.store.history(NAME)[-1].action == REPAIRED


def test_what_a_repair_does_not_change_is_said_once(cluster, monkeypatch):
    monkeypatch.setattr(cluster.applier, "drift", lambda pools, gateway: {"raygate-gateway": "- a\n+ b"})
    puts = len(cluster.target.puts)
    for _ in range(5):
        cluster.reconciler.look()
    assert [made.action for made in cluster.store.history(NAME)] == ["apply", "drift repaired"]
    assert len(cluster.target.puts) == puts + 1


def test_a_pool_that_no_policy_names_goes_after_the_grace_and_not_before(cluster):
    cluster.applier.bring_up([pool(Version(1, 2, 0))], lambda text: None)
    cluster.now += GRACE / 2
    cluster.reconciler.look()
    assert "credit_risk_v1.2.0" in cluster.runs()
    cluster.now += GRACE
    cluster.awaited = True  # somebody is bringing it up
    cluster.reconciler.look()
    assert "credit_risk_v1.2.0" in cluster.runs()
    cluster.awaited = False
    cluster.reconciler.look()
    assert "credit_risk_v1.2.0" not in cluster.runs()
    assert {"credit_risk_v1.0.0", "credit_risk_v1.1.0"} <= cluster.runs()


class GrownTraffic:
    """What the controller of a stack does with replicas and weights, over the cluster in memory."""

    def __init__(self, cluster, rollouts, candidate_least):
        self.cluster, self.rollouts, self.candidate_least = cluster, rollouts, candidate_least

    def pools(self):
        pools = [
            replace(pool(version), scaling=Scaling(min_replicas=least, max_replicas=8))
            for version, least in ((V1, 1), (V2, self.candidate_least))
        ]
        held = capacity.with_capacity(pools, self.rollouts.rollouts())
        return capacity.kept_awake(held, [wanted.policy for wanted in self.rollouts.endpoints().values()])

    def apply(self, wanted, endpoint, patient):
        self.cluster.applier.switch(self.pools(), gateway(wanted), lambda text: None, ready=endpoint)

    def release(self, wanted):
        self.cluster.applier.ask_for(self.pools())

    def replicas(self, version):
        return 4


def gateway(wanted):
    return GatewayConfig(endpoints=tuple(endpoint.policy for endpoint in wanted.values()))


@pytest.mark.parametrize(
    ("failed", "candidate_least", "left"),
    [
        pytest.param(0, 1, 1, id="promoted"),
        pytest.param(10, 1, 1, id="rolled-back"),
        pytest.param(0, 0, 1, id="promoted-and-so-awake"),
        pytest.param(10, 0, 0, id="rolled-back-to-sleep"),
    ],
)
def test_replicas_that_a_rollout_had_asked_for_go_without_a_word_of_drift(
    cluster, failed, candidate_least, left, tmp_path
):
    rollouts = SqliteRolloutStore(tmp_path / "endpoints.db")
    traffic = GrownTraffic(cluster, rollouts, candidate_least)
    cluster.pools = traffic.pools
    cluster.applier.switch(traffic.pools(), cluster.policies(), lambda text: None)
    world = World(rollouts, traffic=traffic)
    world.service.start(NAME, None, "ann")
    controller, least = world.controller(), set()
    for _ in range(60):
        world.serve(counted(100, failed=failed))
        controller.tick()
        cluster.moving = any(each.is_moving for each in rollouts.rollouts().values())
        cluster.reconciler.look()
        least.add(cluster.least("credit_risk_v1.0.0"))
        world.now += timedelta(seconds=5)
    assert not world.rollout.is_active
    assert (least, cluster.least("credit_risk_v1.0.0"), cluster.least("credit_risk_v1.1.0")) == ({1, 4}, 1, left)
    assert [made for made in cluster.store.history(NAME) if made.action == REPAIRED] == []


def test_drift_is_repaired_though_the_registry_is_away_since_a_promotion(cluster, tmp_path):
    def away(version):
        raise RegistryUnavailable(f"call {version} champion", "no answer")

    rollouts = SqliteRolloutStore(tmp_path / "endpoints.db")
    world = World(rollouts, traffic=GrownTraffic(cluster, rollouts, candidate_least=1))
    world.registry.name_champion = away
    world.service.start(NAME, None, "ann")
    world.go(world.controller(), 240, counted(100))
    assert world.rollout.owed_champion == ModelVersion("credit_risk", V2)
    cluster.applier.switch([], cluster.policies({V1: 10, V2: 90}), lambda text: None)
    cluster.moving = world.rollout.is_moving
    cluster.reconciler.look()
    assert cluster.store.history(NAME)[-1].action == REPAIRED
    assert cluster.applier.drift(cluster.pools(), gateway(rollouts.endpoints())) == {}
