"""Pools that may have no replica: when they are asked for one, over a cluster in memory."""

from datetime import UTC, datetime

import pytest

from deployments.access.policy import AccessPolicy, Mode
from deployments.contracts import endpoint
from deployments.contracts.endpoint import Resources, Scaling
from deployments.contracts.errors import DeployFailed
from deployments.contracts.experiment import ExperimentDesign
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.traffic_policy import GatewayConfig
from deployments.gateway.arguments import GatewayArguments
from deployments.rollout import in_force, policy
from deployments.rollout.apply import Applier
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.errors import CapacityComing, EndpointChanged
from deployments.rollout.in_force import InForce
from deployments.rollout.serve_config import Platform, Pool
from deployments.rollout.serve_target import MemoryTarget
from ray_apps import admission, control, experiment_control
from ray_apps.settings import Settings

V1, V2 = Version(1, 0, 0), Version(1, 1, 0)
SLEEPER = "credit_risk_v1.1.0"
FILE = """
apiVersion: raygate.io/v1alpha1
kind: ModelEndpoint
metadata: {name: credit-risk}
spec:
  model: credit_risk
  versions:
    - {version: 1.0.0, role: stable}
    - {version: 1.1.0, role: candidate, scaling: {minReplicas: 0, maxReplicas: 1, idleAfter: 5m}}
  traffic: {split: {1.0.0: 100}, stickyBy: {header: x-user-id}}
"""
WEIGHTED = FILE.replace("{1.0.0: 100}", "{1.0.0: 90, 1.1.0: 10}")
PLATFORM = Platform("test", GatewayArguments(access=AccessPolicy(mode=Mode.INSECURE_LOCAL)))


def silent(text):
    """Tell nobody."""


def pools_of(document, models, source):
    model = document.spec.model
    return [
        Pool(ModelVersion(model, one.version), f"/models/{one.version}", "d", one.scaling, one.resources)
        for one in document.spec.versions
    ]


class Stack:
    """The local control plane."""

    def __init__(self, settings):
        self.target, self.settings = MemoryTarget(), settings
        self.applier = Applier(self.target, PLATFORM)

    def apply(self, text):
        self.control.apply_document(endpoint.parse(text, "endpoint.yaml"), "endpoint.yaml")

    def begin_an_experiment(self):
        design = ExperimentDesign(control=V1, treatments=(V2,), baseline=0.1, effect=0.02)
        begun = experiment_control.ExperimentControl(self.settings)
        begun.start("credit-risk", design, "e", "ann", datetime.now(UTC), silent)

    def least(self, put=-1):
        """The least number of the sleeper's replicas that a config asks for."""
        deployment = application(self.target.puts[put], SLEEPER)["deployments"][0]
        return deployment["autoscaling_config"]["min_replicas"]


def application(config, name):
    return next(each for each in config["applications"] if each["name"] == name)


def weights(config):
    deployment = application(config, "raygate-gateway")["deployments"][0]
    return [dict(policy["slots"]) for policy in deployment["user_config"]["endpoints"]]


@pytest.fixture
def stack(tmp_path, monkeypatch):
    made = Stack(Settings(state_directory=tmp_path))
    monkeypatch.setattr(control, "local_applier", lambda settings: made.applier)
    monkeypatch.setattr(experiment_control, "local_applier", lambda settings: made.applier)
    monkeypatch.setattr(admission, "pools_of", pools_of)
    monkeypatch.setattr(admission, "risk_tiers", lambda settings: lambda model, version: None)
    made.control = control.LocalControl(made.settings)
    return made


def test_a_new_version_comes_up_before_it_may_sleep(stack):
    stack.apply(FILE)
    first, second = range(2)
    assert (stack.least(first), stack.least(second)) == (1, 0)


def test_a_new_version_that_cannot_come_up_is_told_at_once(stack):
    stack.target.broken[SLEEPER] = "no such package"
    with pytest.raises(DeployFailed, match="no such package"):
        stack.apply(FILE)


def test_applying_again_lets_it_sleep_on(stack):
    stack.apply(FILE)
    before = len(stack.target.puts)
    stack.apply(FILE)
    assert [stack.least(put) for put in range(before, len(stack.target.puts))] == [0, 0]


def test_its_pool_goes_to_sleep_after_what_its_owner_says_and_has_one_policy_all_its_life(stack):
    stack.apply(FILE)
    stack.apply(WEIGHTED)
    for put in (0, -1):
        config = application(stack.target.puts[put], SLEEPER)["deployments"][0]["autoscaling_config"]
        assert (config["min_replicas"], config["max_replicas"]) == (1, 1)
        assert config["downscale_to_zero_delay_s"] == 300
        assert config["policy"] == {"policy_function": "deployments.pool_scaling:desired_replicas"}


@pytest.mark.parametrize(
    "give_weight",
    [
        pytest.param(lambda stack: stack.apply(WEIGHTED), id="by-the-file"),
        pytest.param(lambda stack: stack.control.set_traffic("credit-risk", {V1: 90, V2: 10}), id="by-hand"),
        pytest.param(lambda stack: stack.control.switch("credit-risk", V2), id="all-of-it"),
        pytest.param(lambda stack: stack.begin_an_experiment(), id="by-an-experiment"),
    ],
)
def test_a_pool_that_sleeps_is_up_before_it_gets_weight(stack, give_weight):
    stack.apply(FILE)
    before = len(stack.target.puts)
    give_weight(stack)
    staged, switched = stack.target.puts[before:]
    assert (stack.least(-2), stack.least(-1)) == (1, 1)
    assert weights(staged) == [{"1.0.0": 10_000}]
    assert "1.1.0" in weights(switched)[0]


@pytest.mark.parametrize(
    "take_weight",
    [
        pytest.param(lambda stack: stack.apply(FILE), id="by-the-file"),
        pytest.param(lambda stack: stack.control.switch("credit-risk", V1), id="by-hand"),
    ],
)
def test_a_version_that_loses_its_weight_may_sleep_from_then_on_and_not_before(stack, take_weight):
    stack.apply(WEIGHTED)
    before = len(stack.target.puts)
    take_weight(stack)
    asked = [(stack.least(put), weights(stack.target.puts[put])) for put in range(before, len(stack.target.puts))]
    assert all(least == ("1.1.0" in given[0]) for least, given in asked)
    assert asked[-1][0] == 0


def test_a_pool_that_does_not_wake_leaves_the_split_and_is_what_it_was(stack):
    stack.apply(FILE)
    stack.target.broken[SLEEPER] = "no room"
    with pytest.raises(DeployFailed, match="no room"):
        stack.control.switch("credit-risk", V2)
    assert (weights(stack.target.puts[-1]), stack.least()) == ([{"1.0.0": 10_000}], 0)
    assert [made.action for made in stack.control.store.history("credit-risk")] == ["apply"]


def test_what_others_decide_while_a_pool_wakes_is_not_taken_back(stack, monkeypatch):
    stack.apply(FILE)
    bring_up = stack.applier.bring_up

    def while_others_change_the_endpoint(pools, progress):
        bring_up(pools, progress)
        known = stack.control.wanted()["credit-risk"]
        changed = WantedEndpoint(known.document, 2, known.policy)
        stack.control.store.decide(changed, "apply", {}, datetime.now(UTC))

    monkeypatch.setattr(stack.applier, "bring_up", while_others_change_the_endpoint)
    with pytest.raises(EndpointChanged):
        stack.control.switch("credit-risk", V2)
    assert weights(stack.target.puts[-1]) == [{"1.0.0": 10_000}]


def test_a_rollout_waits_for_a_candidate_that_sleeps(stack):
    stack.apply(FILE)
    candidate = Pool(
        ModelVersion("credit_risk", V2), "/models/1.1.0", "d", Scaling(minReplicas=0), Resources(), floor=1
    )
    stack.target.asleep.add(SLEEPER)
    with pytest.raises(CapacityComing, match=r"credit_risk_v1\.1\.0 has 0 of 1"):
        stack.applier.grow([candidate])
    assert stack.least() == 1
    stack.target.asleep.clear()
    stack.applier.grow([candidate])


def test_one_that_is_awake_by_chance_is_told_to_stay_before_it_gets_weight(stack):
    stack.apply(FILE)
    stack.target.replicas = 1
    stack.applier.grow(
        [Pool(ModelVersion("credit_risk", V2), "/models/1.1.0", "d", Scaling(minReplicas=0), Resources(), floor=1)]
    )
    assert stack.least() == 1


def test_what_may_sleep_and_does_is_no_drift(stack):
    stack.apply(FILE)
    wanted = stack.control.wanted()["credit-risk"]
    pools = pools_of(wanted.document, None, "")
    assert stack.applier.drift(pools, GatewayConfig(endpoints=(wanted.policy,))) == {}


def test_a_version_that_was_promoted_is_in_the_next_document_as_one_that_never_sleeps():
    document = endpoint.parse(FILE, "endpoint.yaml")
    made = policy.with_weights(policy.from_document(document, 1), {V2: 100.0}, 2).model_copy(update={"stable": V2})
    changed = in_force.with_candidate(document, InForce.under(made), Version(1, 2, 0))
    assert changed.spec.stable == V2
    assert [(one.scaling.min_replicas, one.scaling.max_replicas) for one in changed.spec.versions[1:]] == [
        (1, 1)
    ] * 2
