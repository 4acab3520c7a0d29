"""The stack as a person starts and stops it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

REPOSITORY = Path(__file__).parents[2]
UP_SECONDS = 240


def processes_of(stack):
    """Everything that runs with this stack's settings, this test's own children included."""
    found = []
    for process in psutil.process_iter(["environ", "status"]):
        state = (process.info["environ"] or {}).get("RAYGATE_STATE_DIRECTORY")
        if state == str(stack.settings.state) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def start_in_foreground(stack, log):
    """``raygate up`` in a process of its own, as from a terminal; returns when it says how to stop it."""
    command = [str(Path(sys.executable).with_name("raygate")), "up", "-f", str(stack.directory / "endpoint.yaml")]
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, "--no-mlflow"],
            env=stack.environment,
            cwd=REPOSITORY,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    deadline = time.monotonic() + UP_SECONDS
    while "Ctrl-C stops the stack" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
    return process


@pytest.fixture
def back_up(stack):
    """The stack as the rest of the run wants it, whatever this test did."""
    yield
    stack.raygate(
        "up", "-f", str(stack.directory / "endpoint.yaml"), "--detach", "--no-mlflow", timeout=UP_SECONDS
    )
    stack.raygate("traffic", "credit-risk", "1.0.0=90", "1.1.0=10")


def test_status_says_ready_to_people_and_to_scripts(stack):
    import json

    assert "ready" in stack.raygate("status").stdout
    status = json.loads(stack.raygate("status", "--json").stdout)
    assert status["ready"] is True


def test_a_restart_keeps_the_traffic_that_was_decided_and_trains_nothing(stack, rows, back_up, tmp_path):
    stack.raygate("traffic", "credit-risk", "1.0.0=0", "1.1.0=100")
    stack.raygate("down")
    assert processes_of(stack) == []
    down = stack.raygate("status", check=False)
    assert down.returncode == 1

    log = tmp_path / "up.log"
    foreground = start_in_foreground(stack, log)
    try:
        assert "Training" not in log.read_text()
        assert {stack.predict(rows[0]).json()["model_version"] for _ in range(10)} == {"1.1.0"}
        refuse_a_second_stack_on_the_same_ports(stack, tmp_path)
    finally:
        os.kill(foreground.pid, signal.SIGINT)
        foreground.wait(90)
    assert foreground.returncode == 0, log.read_text()
    assert processes_of(stack) == []


def refuse_a_second_stack_on_the_same_ports(stack, directory):
    """A port in use is said with the process that holds it, and nothing is started."""
    other = {**stack.environment, "RAYGATE_STATE_DIRECTORY": str(directory / "other")}
    command = [str(Path(sys.executable).with_name("raygate")), "up", "--detach"]
    refused = subprocess.run(
        command, env=other, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 1
    assert f"port {stack.settings.http_port} (API)" in refused.stderr
    assert "haproxy" in refused.stderr


def test_what_a_killed_ray_left_behind_is_recognised_and_cleared(stack, rows, back_up):
    import json

    run = json.loads((stack.settings.state / "run" / "stack.json").read_text())
    os.kill(run["processes"]["ray"]["pid"], signal.SIGKILL)
    again = stack.raygate(
        "up", "-f", str(stack.directory / "endpoint.yaml"), "--detach", "--no-mlflow", timeout=UP_SECONDS
    )
    assert "earlier" in again.stdout + again.stderr
    assert stack.predict(rows[0]).status_code == 200
