"""Experiments begun and ended over a cluster in memory."""

from contextlib import nullcontext
from datetime import timedelta

import pytest
from experiment_examples import NOON, STICKY, A, B, arm, design, wanted_endpoint

from deployments.access.policy import AccessPolicy, Mode
from deployments.contracts.errors import TrafficNotApplied
from deployments.contracts.experiment import ExperimentOutcome
from deployments.gateway.arguments import GatewayArguments
from deployments.rollout.apply import Applier
from deployments.rollout.control_database import Decision
from deployments.rollout.endpoint_store import EndpointStore
from deployments.rollout.errors import RolloutRunning
from deployments.rollout.serve_config import Platform
from deployments.rollout.serve_target import MemoryTarget
from ray_apps import admission, experiment_control
from ray_apps.settings import Settings


@pytest.fixture
def control(tmp_path, monkeypatch):
    """Experiments over a cluster in memory; what their arms did is written by the test."""
    platform = Platform("test", GatewayArguments(access=AccessPolicy(mode=Mode.INSECURE_LOCAL)))
    applier = Applier(MemoryTarget(), platform)
    monkeypatch.setattr(experiment_control, "local_applier", lambda settings: applier)
    monkeypatch.setattr(applier, "check_up", lambda names: None)
    monkeypatch.setattr(admission, "risk_tiers", lambda settings: lambda model, version: None)
    settings = Settings(state_directory=tmp_path)
    EndpointStore(settings.control_database).decide(
        wanted_endpoint(STICKY), "apply", {"weights": {"1.0.0": 100}}, NOON
    )
    made = experiment_control.ExperimentControl(settings)
    monkeypatch.setattr(made, "arms", lambda experiment: {A: arm(1000, 10_000), B: arm(1300, 10_000)})
    return made


def shares_of(settings_file):
    endpoints = EndpointStore(settings_file / "endpoints.db").endpoints()
    return dict(endpoints["credit-risk"].policy.slots)


@pytest.mark.parametrize(
    ("on_end", "shares"),
    [
        pytest.param("tell", {A: 5000, B: 5000}, id="a-person-ends-it"),
        pytest.param("conclude", {A: 10_000}, id="the-weights-of-before-come-back"),
        pytest.param("switch", {B: 10_000}, id="the-winner-gets-everything"),
    ],
)
def test_an_experiment_with_a_winner_ends_as_its_design_says(control, tmp_path, on_end, shares):
    begun = control.start("credit-risk", design(on_end=on_end), "e", "ann", NOON, lambda text: None)
    reading = control.conclude(begun, NOON + timedelta(days=1), nullcontext)
    assert (reading.outcome, reading.winner) == (ExperimentOutcome.WINNER, B)
    assert shares_of(tmp_path) == shares
    assert (control.store.running() == [begun]) is (on_end == "tell")
    if on_end != "tell":
        last = EndpointStore(tmp_path / "endpoints.db").history("credit-risk")[-1]
        assert last.action == "experiment concluded"
        assert "1.1.0 is better than 1.0.0 by 0.03" in last.detail["reason"]
        assert last.detail["reading"]["comparisons"][0]["p_value"] < 0.05


def overtaken_by_a_file(store):
    changed = wanted_endpoint(STICKY.replace("stable: 100", "stable: 80, candidate: 20"))
    store.decide(changed, "apply", {}, NOON)


def overtaken_by_deletion(store):
    store.forget(store.endpoints()["credit-risk"], NOON)


OVERTAKEN = [
    pytest.param(overtaken_by_a_file, id="by-a-changed-file"),
    pytest.param(overtaken_by_deletion, id="by-a-deletion"),
]


@pytest.mark.parametrize("overtake", OVERTAKEN)
@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda control: control.judge(NOON, nullcontext), id="by-the-controller"),
        pytest.param(
            lambda control: control.stop("credit-risk", "bob", NOON, lambda text: None), id="by-a-person"
        ),
    ],
)
def test_an_experiment_that_was_overtaken_is_closed_and_moves_no_traffic(control, tmp_path, overtake, end):
    control.start("credit-risk", design(on_end="switch"), "e", "ann", NOON, lambda text: None)
    store = EndpointStore(tmp_path / "endpoints.db")
    overtake(store)
    before = store.endpoints()
    end(control)
    assert store.endpoints() == before
    assert control.store.running() == []
    assert store.history("credit-risk")[-1].action == "experiment overtaken"


@pytest.mark.parametrize("on_end", ["conclude", "switch"])
def test_no_experiment_gives_its_traffic_to_a_pool_that_is_gone(control, tmp_path, monkeypatch, on_end):
    control.start("credit-risk", design(on_end=on_end), "e", "ann", NOON, lambda text: None)

    def dark(names):
        raise TrafficNotApplied(f"no traffic can go to {', '.join(names)}")

    monkeypatch.setattr(control._applier, "check_up", dark)
    control.judge(NOON, nullcontext)
    with pytest.raises(TrafficNotApplied, match=r"credit_risk_v1\.0\.0"):
        control.stop("credit-risk", "bob", NOON, lambda text: None)
    assert shares_of(tmp_path) == {A: 5000, B: 5000}
    assert len(control.store.running()) == 1


def test_an_experiment_that_cannot_be_judged_keeps_no_other_from_its_turn(control, tmp_path, monkeypatch):
    begun = control.start("credit-risk", design(on_end="switch"), "e", "ann", NOON, lambda text: None)
    arms, unreadable = control.arms, begun.model_copy(update={"endpoint": "a", "name": "broken"})

    def read_arms(experiment):
        if experiment == unreadable:
            raise KeyError("a")
        return arms(experiment)

    monkeypatch.setattr(control, "arms", read_arms)
    monkeypatch.setattr(control, "_is_in_force", lambda experiment: True)
    control.store.write(unreadable, None, Decision(NOON, "a", "experiment started", 2, {}))
    control.judge(NOON, nullcontext)
    assert shares_of(tmp_path) == {B: 10_000}


def test_while_a_rollout_owns_the_weights_no_experiment_starts(control, tmp_path, monkeypatch):
    def owned(name):
        raise RolloutRunning(name, "r", "promoted")

    monkeypatch.setattr(control._admission, "check_owned", owned)
    with pytest.raises(RolloutRunning):
        control.start("credit-risk", design(), "e", "ann", NOON, lambda text: None)
    assert shares_of(tmp_path) == {A: 10_000}
