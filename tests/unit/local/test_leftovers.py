import os
import subprocess
import sys
from contextlib import ExitStack

import psutil
import pytest

from ray_apps.local.leftovers import clean_leftovers, end_all
from ray_apps.local.places import Places
from ray_apps.local.processes import describe, end, stack_processes

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
WAIT = "print('up', flush=True)\ninput()"


@pytest.fixture
def start():
    """Starts a process with the mark of a stack and waits until it runs."""
    with ExitStack() as processes:

        def begin(identity, program=WAIT):
            process = processes.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", program],
                    env={**os.environ, "RAYGATE_STACK": identity},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            processes.callback(process.kill)
            process.stdout.readline()
            return process

        yield begin


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setattr("ray_apps.local.places._SHORT_ROOT", tmp_path)
    made = Places(tmp_path / "state")
    made.create()
    return made


def test_processes_are_found_by_the_mark_of_their_stack(start, places):
    ours, theirs = start(places.identity), start("0badcafe")
    found = [process.pid for process in stack_processes(places.identity)]
    assert ours.pid in found
    assert theirs.pid not in found


def test_leftovers_are_said_and_ended_and_nobody_elses(start, places):
    ours, theirs = start(places.identity), start("0badcafe")
    said = []
    clean_leftovers(places, said.append)
    assert ours.wait(10) != 0
    assert theirs.poll() is None
    assert said
    assert said[0].startswith("An earlier run left 1 process (1 ")


def test_without_leftovers_nothing_is_said(places):
    said = []
    clean_leftovers(places, said.append)
    assert not said


def test_the_run_file_of_a_crashed_run_is_removed(places):
    places.run_file.write_text("{}")
    clean_leftovers(places, print)
    assert not places.run_file.exists()


def test_haproxys_state_of_an_earlier_run_is_not_read_again(places):
    (places.haproxy / "server-state").write_text("old")
    clean_leftovers(places, print)
    assert not (places.haproxy / "server-state").exists()


def test_the_logs_of_the_last_session_are_kept(places):
    for day in ("19", "20", "21"):
        (places.ray_sessions / f"session_2026-11-{day}").mkdir(parents=True)
    clean_leftovers(places, print)
    assert [session.name for session in places.ray_sessions.iterdir()] == ["session_2026-11-21"]


def test_a_process_that_ignores_sigterm_is_killed(start, places):
    process = start(places.identity, STUBBORN + WAIT)
    end([psutil.Process(process.pid)], grace_s=0.2)
    assert process.wait(10) == -9


def test_a_process_that_obeys_sigterm_is_not_killed(start, places):
    process = start(places.identity)
    end([psutil.Process(process.pid)], grace_s=10)
    assert process.wait(10) == -15


def test_ending_all_of_nothing_is_no_error():
    end_all("ffffffff", grace_s=0)


def test_a_process_is_described_with_name_number_and_a_shortened_command(start, places):
    process = start(places.identity, WAIT + "\n#" + "x" * 200)
    said = describe(psutil.Process(process.pid), width=40)
    assert f"(pid {process.pid}, " in said
    assert said.endswith("…)")
    assert "x" * 50 not in said
