import os
import socket
import subprocess
import sys

import pytest

from ray_apps.local import ports
from ray_apps.local.ports import NeededPort, PortsInUse, check_free, needed_ports
from ray_apps.local.ray_environment import replica_ports
from ray_apps.settings import Settings


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def needed(number, purpose="API"):
    return NeededPort(number, purpose, f"RAYGATE_{purpose.upper()}_PORT", "127.0.0.1")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_free_port_is_no_problem():
    check_free([needed(free_port())])


def test_a_held_port_is_told_with_its_purpose_its_holder_and_the_setting_that_moves_it(listener):
    with pytest.raises(PortsInUse) as caught:
        check_free([needed(listener)])
    said = str(caught.value)
    assert said.startswith(f"port {listener} (API) is held by ")
    assert f"pid {os.getpid()}" in said
    assert said.endswith("RAYGATE_API_PORT moves it")


def test_all_held_ports_are_told_at_once(listener):
    with socket.create_server(("127.0.0.1", 0)) as other:
        second = other.getsockname()[1]
        with pytest.raises(PortsInUse) as caught:
            check_free([needed(listener), needed(free_port(), "free"), needed(second, "dashboard")])
    assert [problem.port for problem in caught.value.ports] == [listener, second]


def test_a_holder_of_another_raygate_is_told_with_its_state_directory(tmp_path):
    program = (
        "import socket,sys; s=socket.create_server(('127.0.0.1',0)); print(s.getsockname()[1],flush=True); input()"
    )
    environment = {**os.environ, "RAYGATE_STACK": "0badcafe", "RAYGATE_STATE_DIRECTORY": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        port = int(holder.stdout.readline())
        with pytest.raises(PortsInUse) as caught:
            check_free([needed(port)])
        holder.communicate("\n")
    assert f"pid {holder.pid}" in str(caught.value)
    assert f"started by an earlier raygate with state directory {tmp_path}" in str(caught.value)


def test_a_holder_that_cannot_be_seen_is_said_to_be_another_users(listener, monkeypatch):
    monkeypatch.setattr(ports.psutil, "process_iter", list)
    with pytest.raises(PortsInUse, match="a process that we may not see"):
        check_free([needed(listener)])


def test_one_port_wanted_for_two_purposes_is_refused():
    port = free_port()
    with pytest.raises(PortsInUse, match=rf"port {port} \(metrics\) is held by the stack's own API"):
        check_free([needed(port), needed(port, "metrics")])


def test_a_port_among_the_replicas_is_refused_because_a_replica_might_take_it_first():
    port = free_port()
    with pytest.raises(PortsInUse, match="the stack's own replicas"):
        check_free([needed(port)], range(port - 1, port + 1))


def test_the_default_ports_do_not_collide_with_each_other():
    settings = Settings(_env_file=None)
    numbers = [port.number for port in needed_ports(settings, with_mlflow=True)]
    assert len(set(numbers)) == len(numbers)
    assert not set(numbers) & set(replica_ports(settings))


def test_without_mlflow_its_port_is_not_needed():
    purposes = {port.purpose for port in needed_ports(Settings(), with_mlflow=False)}
    assert "MLflow" not in purposes
    assert "API" in purposes
