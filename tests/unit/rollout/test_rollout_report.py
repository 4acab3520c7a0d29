"""What ``raygate rollout status`` and its ``--watch`` show."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from rollout_examples import NAME, TWO_STEPS, World, counted

from deployments.rollout.commands import Command
from deployments.rollout.errors import RegistryUnavailable
from deployments.rollout.status import status_of
from ray_apps.cli import rollout_report

TIMES = "analysis: {interval: 15m, minRequests: 100}"


def shown(world, observed=None):
    console = Console(width=300, color_system=None)
    with console.capture() as capture:
        console.print(rollout_report.page(status_of(world.rollout), observed))
    return capture.get()


@pytest.fixture
def world():
    made = World.with_plan(f"{TWO_STEPS.replace('60s', '2h')}, {TIMES}")
    made.now = datetime.now(UTC) - timedelta(minutes=5)
    made.service.start(NAME, None, "ann")
    made.go(made.controller(), 10, counted(100))
    made.serve(counted(400))
    made.go(made.controller(), 10)
    return made


def test_it_shows_step_weights_decided_and_observed_and_the_checks_with_their_evidence(world):
    page = shown(world, {"1.0.0": 0.9, "1.1.0": 0.1})
    assert "progressing, step 1 of 2" in page
    assert re.search(r"1\.0\.0 +│ stable +│ 90 % +│ 90 %", page)
    assert re.search(r"1\.1\.0 +│ candidate +│ 10 % +│ 10 %", page)
    assert re.search(r"error-rate +│ healthy +│ error rate: 0 of \d+ requests failed", page)
    assert re.search(r"quality \(not waited for\)|quality +│ \S+ \(not waited for\)", page)


def test_it_shows_how_long_it_is_to_the_next_verdict_and_step(world):
    page = shown(world)
    assert re.search(r"next verdict in 1[01]m\d*s?\n", page)
    assert re.search(r"next step in 1h5[45]m\d*s? at the earliest, if healthy", page)


def test_of_a_rollback_the_checks_that_led_to_it_are_shown(world):
    world.serve(counted(400, failed=300))
    world.now += timedelta(minutes=15)
    world.controller().tick()
    page = shown(world)
    assert "rolled back, step 1 of 2" in page
    assert re.search(r"error-rate +│ unhealthy +│ error rate: 300 of \d+ requests failed", page)


def test_of_a_rollout_that_is_over_nothing_is_to_come(world):
    world.service.obey(NAME, Command.ABORT, "ann")
    world.controller().tick()
    assert "next " not in shown(world)


def test_weights_that_nobody_can_tell_are_shown_as_such(world):
    assert re.search(r"1\.1\.0 +│ candidate +│ 10 % +│ \?", shown(world))


def test_what_the_registry_is_still_to_be_told_is_shown_with_the_reason(world):
    def away(version):
        raise RegistryUnavailable(f"call {version} champion", "no answer")

    world.registry.name_champion = away
    world.service.obey(NAME, Command.PROMOTE, "ann")
    world.go(world.controller(), 5)
    page = shown(world)
    assert "promoted" in page
    assert re.search(r"champion of credit_risk is still to name 1\.1\.0, since [\d:]+: .*: no answer", page)
