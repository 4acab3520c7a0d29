import pytest
from rollout_examples import NAME, NOON, V1, V2, World

from deployments.contracts import endpoint
from deployments.contracts.endpoint import Resources, Scaling
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.traffic_policy import Shadow
from deployments.rollout import capacity, policy
from deployments.rollout.controller import CAPACITY_PATIENCE
from deployments.rollout.errors import CapacityComing
from deployments.rollout.serve_config import Pool
from deployments.rollout.state import Phase


def pool(version, least, most):
    name = ModelVersion("credit_risk", version)
    return Pool(name, "/models", "d", Scaling(min_replicas=least, max_replicas=most), Resources())


def least_of(world, **update):
    rollout = world.rollout
    held = {NAME: rollout.at(rollout.state.model_copy(update=update))}
    made = capacity.with_capacity([pool(V1, 2, 10), pool(V2, 1, 10), pool(Version(1, 2, 0), 1, 10)], held)
    return [one.least_replicas for one in made]


@pytest.fixture
def world():
    world = World.with_plan()
    world.service.start(NAME, None, "ann")
    return world


@pytest.mark.parametrize(
    ("update", "least"),
    [
        pytest.param({"capacity": None, "weight": 10}, [2, 1, 1], id="nothing-is-known-yet"),
        pytest.param({"capacity": 6, "weight": 10}, [6, 1, 1], id="stable-keeps-what-it-had"),
        pytest.param({"capacity": 6, "weight": 50}, [6, 3, 1], id="half-of-the-traffic-half-of-the-replicas"),
        pytest.param({"capacity": 6, "weight": 60}, [6, 4, 1], id="rounded-up"),
        pytest.param({"capacity": 30, "weight": 100}, [10, 10, 1], id="never-over-the-owners-bound"),
        pytest.param(
            {"capacity": 6, "weight": 100, "phase": Phase.PROMOTED, "settled": None},
            [6, 6, 1],
            id="until-it-is-over",
        ),
        pytest.param(
            {"capacity": 6, "weight": 100, "phase": Phase.PROMOTED, "settled": NOON}, [2, 1, 1], id="and-no-longer"
        ),
    ],
)
def test_pools_keep_what_the_weights_need(world, update, least):
    assert least_of(world, **update) == least


def policy_of(document, **update):
    return policy.from_document(endpoint.parse(document, "endpoint.yaml"), 1).model_copy(update=update)


SLEEPERS = """
apiVersion: raygate.io/v1alpha1
kind: ModelEndpoint
metadata: {name: credit-risk}
spec:
  model: credit_risk
  versions:
    - {version: 1.0.0, role: stable}
    - {version: 1.1.0, role: candidate, scaling: {minReplicas: 0, maxReplicas: 4}}
  traffic:
    split: {1.0.0: 100}
    rules: [{name: beta, when: {header: {x-cohort: beta}}, version: 1.1.0}]
"""


@pytest.mark.parametrize(
    ("text", "update", "least"),
    [
        pytest.param(SLEEPERS, {}, 0, id="only-a-rule-leads-there"),
        pytest.param(SLEEPERS.replace("1.0.0: 100", "1.0.0: 99.99, 1.1.0: 0.01"), {}, 1, id="it-has-weight"),
        pytest.param(SLEEPERS, {"stable": V2}, 1, id="it-was-promoted"),
        pytest.param(SLEEPERS, {"shadows": (Shadow(version=V2),)}, 1, id="it-gets-copies"),
    ],
)
def test_a_pool_sleeps_only_while_no_request_comes_unasked(text, update, least):
    made = policy_of(text, **update)
    (asleep,) = capacity.kept_awake([pool(V2, 0, 4)], [made])
    assert asleep.least_replicas == least
    assert made.may_sleep(V2) is (least == 0)
    assert not made.may_sleep(V1)


def test_a_pool_is_kept_by_whichever_of_the_policies_needs_it():
    idle, weighted = policy_of(SLEEPERS), policy_of(SLEEPERS.replace("1.0.0: 100", "1.1.0: 100"))
    assert [one.least_replicas for one in capacity.kept_awake([pool(V2, 0, 4)], [weighted, idle])] == [1]


@pytest.mark.parametrize(
    ("update", "least"),
    [
        pytest.param({"weight": 0, "phase": Phase.AWAITING_APPROVAL}, 1, id="before-any-weight"),
        pytest.param({"weight": 50, "capacity": 6}, 3, id="with-its-part"),
        pytest.param({"weight": 0, "phase": Phase.ROLLED_BACK, "capacity": 6}, 0, id="withdrawn"),
    ],
)
def test_a_candidate_that_may_sleep_is_awake_while_its_rollout_runs(world, update, least):
    rollout = world.rollout
    held = {NAME: rollout.at(rollout.state.model_copy(update={"settled": None, **update}))}
    (candidate,) = capacity.with_capacity([pool(V2, 0, 4)], held)
    assert candidate.least_replicas == least


def test_a_version_that_nobody_knows_yet_must_come_up_once():
    before = policy_of(SLEEPERS)
    known, new = capacity.proved([pool(V2, 0, 4), pool(Version(1, 2, 0), 0, 4)], before)
    assert (known.least_replicas, new.least_replicas) == (0, 1)
    assert capacity.proved([pool(V2, 0, 4)], None)[0].least_replicas == 1


def test_no_weight_moves_before_the_replicas_are_there_and_waiting_is_no_error(world):
    controller, apply = world.controller(), world.traffic.apply

    def not_yet(wanted, endpoint, patient):
        raise CapacityComing("credit_risk_v1.1.0 has 1 of 3")

    world.traffic.apply = not_yet
    world.go(controller, 300)
    state = world.rollout.state
    assert (state.phase, state.errors, state.settled) == (Phase.PROGRESSING, 0, None)
    assert state.trouble == "credit_risk_v1.1.0 has 1 of 3"
    assert world.rollout.state.capacity == 2
    world.traffic.apply = apply
    world.go(controller, 20)
    assert (world.traffic.weight, world.rollout.state.trouble) == (10, "")


def test_replicas_that_never_come_end_the_rollout(world):
    controller, apply = world.controller(), world.traffic.apply

    def never(wanted, endpoint, patient):
        if world.rollout.state.weight:
            raise CapacityComing("credit_risk_v1.1.0 has 1 of 3")
        apply(wanted, endpoint, patient)

    world.traffic.apply = never
    world.go(controller, CAPACITY_PATIENCE.total_seconds() + 120)
    assert world.rollout.state.phase is Phase.ROLLED_BACK
    assert "the last: credit_risk_v1.1.0 has 1 of 3" in world.rollout.state.reason
