"""``raygate rollout``, ``traffic`` and ``switch`` at a controller elsewhere, as on Kubernetes, over real HTTP."""

import json

import pytest
from admin_doubles import MemoryControl
from role_callers import ByName, Recorder
from rollout_examples import NAME, V1, V2, World
from served_api import served
from typer.testing import CliRunner

from deployments.access.access import Access
from deployments.rollout.state import Phase
from ray_apps.admin_api import guarded
from ray_apps.cli.commands import app
from ray_apps.cli.rollout_control import NotThere
from ray_apps.remote_controller import ControllerRefused, ControllerSilent


@pytest.fixture
def world():
    return World.with_plan("steps: [{weight: 10, hold: 60s}], analysis: {minRequests: 100}")


@pytest.fixture
def audit():
    return Recorder()


@pytest.fixture(autouse=True)
def controller(world, audit, monkeypatch, tmp_path):
    api = guarded(world.service, None, Access(ByName(), audit=audit), overrides=MemoryControl(world.store))
    monkeypatch.setenv("RAYGATE_STATE_DIRECTORY", str(tmp_path / "none"))
    monkeypatch.setenv("RAYGATE_API_KEY", "operator")
    with served(api) as address:
        monkeypatch.setenv("RAYGATE_CONTROLLER", f"{address}/")
        yield address


def raygate(*arguments):
    result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def test_a_rollout_is_begun_paused_and_rolled_back_by_whoever_the_key_names(world, audit, tmp_path):
    assert f"{V1} -> {V2}" in raygate("rollout", "start", NAME, "--version", str(V2))
    assert world.rollout.started_by == "the operator"
    assert "paused" in raygate("rollout", "pause", NAME)
    assert "rolled back" in raygate("rollout", "rollback", NAME)
    assert world.rollout.state.phase is Phase.ROLLED_BACK
    assert [event.actor for event in audit.log.events] == ["the operator"] * 3
    assert not (tmp_path / "none").exists()  # nothing of this machine was asked


def test_its_status_and_history_are_those_of_the_controller(world, monkeypatch):
    raygate("rollout", "start", NAME)
    told = json.loads(raygate("rollout", "status", NAME, "--json"))
    assert (told["rollout"], told["phase"], told["weight"]) == (world.rollout.name, "progressing", 10)
    assert "progressing, step 1 of 1" in raygate("rollout", "status", NAME)
    monkeypatch.setenv("RAYGATE_API_KEY", "admin")  # the history is an audit
    (begun,) = json.loads(raygate("rollout", "history", NAME, "--json"))
    assert (begun["action"], begun["actor"]) == ("rollout progressing", "the operator")


def test_a_status_that_is_watched_ends_with_the_rollout(world):
    raygate("rollout", "start", NAME)
    world.service.obey(NAME, "abort", "ann")
    world.go(world.controller(), 5)
    assert "aborted" in raygate("rollout", "status", NAME, "--watch")


def test_traffic_is_split_and_switched_there(world):
    assert "puts it in force" in raygate("traffic", NAME, f"{V1}=40", f"{V2}=60")
    assert dict(world.store.endpoints()[NAME].policy.slots) == {V1: 4000, V2: 6000}
    assert f"{V2}=100" in raygate("switch", NAME, str(V2))
    assert dict(world.store.endpoints()[NAME].policy.slots) == {V2: 10000}


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        pytest.param(("rollout", "status", NAME), "no rollout", id="nothing-there"),
        pytest.param(("rollout", "start", "churn"), "churn", id="unknown-endpoint"),
        pytest.param(("switch", NAME, "--back"), "was never switched", id="nothing-to-switch-back"),
    ],
)
def test_what_the_controller_refuses_is_told_in_its_words(command, reason):
    with pytest.raises(ControllerRefused, match=reason):
        raygate(*command)


def test_a_key_that_may_not_is_told_so(monkeypatch):
    monkeypatch.setenv("RAYGATE_API_KEY", "viewer")
    with pytest.raises(ControllerRefused, match="may not"):
        raygate("rollout", "start", NAME)


def test_a_controller_that_is_away_is_named(monkeypatch):
    monkeypatch.setenv("RAYGATE_CONTROLLER", "http://127.0.0.1:1")
    with pytest.raises(ControllerSilent, match=r"127\.0\.0\.1:1 does not answer"):
        raygate("rollout", "status", NAME)


def test_something_else_that_answers_there_is_named(controller, monkeypatch):
    monkeypatch.setenv("RAYGATE_CONTROLLER", f"{controller}/ready?")
    with pytest.raises(ControllerSilent, match="not understood"):
        raygate("rollout", "status", NAME)


@pytest.mark.parametrize(
    "command", [("apply", "-f", "endpoint.yaml"), ("get",), ("describe", NAME), ("delete", NAME)]
)
def test_commands_on_this_machines_stack_do_not_pretend_to_reach_it(command):
    with pytest.raises(NotThere, match="use kubectl on the ModelEndpoints there"):
        raygate(*command)
