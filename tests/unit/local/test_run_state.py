import os
import subprocess
import sys

import pytest

from ray_apps.local.lock import CommandRunning, exclusive
from ray_apps.local.run_state import Phase, RunningProcess, StackRun, read_run


def a_run(process, keeper=None):
    return StackRun(
        phase=Phase.UP,
        started=1_800_000_000.0,
        processes={"ray": process},
        ports={"API": 8000},
        api_url="http://127.0.0.1:8000",
        dashboard_url="http://127.0.0.1:8265",
        metrics_url="http://127.0.0.1:9090/metrics",
        keeper=keeper,
    )


@pytest.fixture
def myself():
    return RunningProcess.of(os.getpid())


@pytest.fixture
def ended():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        described = RunningProcess.of(process.pid)
        process.communicate(b"\n")
    return described


def test_a_run_is_read_as_it_was_written(tmp_path, myself):
    file = tmp_path / "run" / "stack.json"
    a_run(myself).write(file)
    assert read_run(file) == a_run(myself)


def test_a_write_that_fails_leaves_the_run_before(tmp_path, myself, monkeypatch):
    file = tmp_path / "stack.json"
    a_run(myself).write(file)

    def full_disk(self, text):
        raise OSError("no space left")

    monkeypatch.setattr(type(file), "write_text", full_disk)
    with pytest.raises(OSError, match="no space"):
        a_run(myself).model_copy(update={"phase": Phase.STOPPING}).write(file)
    assert read_run(file).phase is Phase.UP


@pytest.mark.parametrize(
    "content",
    [pytest.param("{", id="half-a-file"), pytest.param('{"pids": [1]}', id="of-another-release")],
)
def test_a_file_that_cannot_be_understood_is_no_run(tmp_path, content):
    file = tmp_path / "stack.json"
    file.write_text(content)
    assert read_run(file) is None


def test_no_file_is_no_run(tmp_path):
    assert read_run(tmp_path / "stack.json") is None


def test_a_run_is_alive_while_its_ray_is(myself):
    assert a_run(myself).is_alive()


def test_a_run_whose_ray_has_ended_is_stale(ended):
    assert not a_run(ended).is_alive()


def test_a_later_process_with_the_same_number_is_not_ours(myself):
    assert not a_run(myself.model_copy(update={"created": myself.created - 60})).is_alive()


@pytest.mark.parametrize("kept", [True, False], ids=["keeper-lives", "detached"])
def test_a_run_is_not_abandoned(myself, kept):
    assert not a_run(myself, keeper=myself if kept else None).is_abandoned()


def test_a_run_whose_foreground_command_was_killed_is_abandoned(myself, ended):
    assert a_run(myself, keeper=ended).is_abandoned()


def test_only_one_command_at_a_time_changes_a_stack(tmp_path):
    with exclusive(tmp_path / "lock"), pytest.raises(CommandRunning, match="lock"), exclusive(tmp_path / "lock"):
        pass


def test_the_lock_is_free_again_afterwards(tmp_path):
    for _ in range(2):
        with exclusive(tmp_path / "lock"):
            pass
