"""Stopping a stack while its controller holds the lock."""

import subprocess
import sys

import pytest

from ray_apps.cli.stack import _stop_alone
from ray_apps.local.lock import CommandRunning
from ray_apps.local.places import Places
from ray_apps.local.run_state import Phase, RunningProcess, StackRun
from ray_apps.settings import Settings

HOLDER = """
import sys, time
from pathlib import Path
from ray_apps.local.lock import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYGATE_STATE_DIRECTORY", str(tmp_path))
    return Settings()


@pytest.fixture
def holder(settings):
    """A process that holds the stack's lock."""
    command = [sys.executable, "-c", HOLDER, str(Places(settings.state).lock_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def recorded(settings, processes):
    StackRun(
        phase=Phase.UP,
        started=1_800_000_000.0,
        processes=processes,
        ports={},
        api_url=settings.api_url,
        dashboard_url=settings.dashboard_url,
        metrics_url=settings.metrics_url,
    ).write(Places(settings.state).run_file)


def test_a_reload_of_the_controller_does_not_keep_the_stack_up(settings, holder):
    recorded(settings, {"controller": RunningProcess.of(holder.pid)})
    _stop_alone(settings)
    assert holder.wait(10) != 0
    assert not Places(settings.state).run_file.exists()


def test_another_command_that_holds_the_lock_is_left_alone(settings, holder):
    recorded(settings, {})
    with pytest.raises(CommandRunning):
        _stop_alone(settings)
    assert holder.poll() is None
