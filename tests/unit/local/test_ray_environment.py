import os
from pathlib import Path

import pytest

from deployments.rollout.ray_environment import SHARED_RAY_ENVIRONMENT
from ray_apps.local.places import Places, UnsafeDirectory
from ray_apps.local.ray_cluster import ray_command
from ray_apps.local.ray_environment import ray_environment, replica_ports, settings_environment, stack_environment
from ray_apps.settings import Settings

NODE_ID = "f" * 56
SESSION = "session_2026-11-21_10-40-16_819428_4194304"


def test_the_shared_variables_are_part_of_the_laptops():
    assert SHARED_RAY_ENVIRONMENT.items() <= ray_environment(Settings()).items()


def test_two_stacks_share_no_path_and_no_port(tmp_path):
    one = Settings(state_directory=tmp_path / "one")
    two = Settings(
        state_directory=tmp_path / "two",
        haproxy_metrics_port=19101,
        haproxy_stats_port=18404,
        replica_port_base=31000,
    )
    first, second = ray_environment(one), ray_environment(two)
    own = {name for name in first if "HAPROXY_" in name or "DIRECT_INGRESS_M" in name} - set(
        SHARED_RAY_ENVIRONMENT
    )
    own.discard("RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S")
    assert len(own) == 11
    assert not [name for name in own if first[name] == second[name]]


def test_replicas_stay_within_the_ports_that_are_kept_for_them():
    settings = Settings(replica_port_base=20000)
    environment = ray_environment(settings)
    bounds = [int(value) for name, value in environment.items() if name.endswith(("HTTP_PORT", "GRPC_PORT"))]
    assert len(bounds) == 4
    assert all(bound in replica_ports(settings) for bound in bounds)
    assert len(set(bounds)) == 4


def test_sockets_fit_into_the_limit_of_unix_sockets_however_deep_the_checkout_lies():
    places = Places(Path("/home/somebody") / "/".join(["a-long-name"] * 30))
    assert len(str(places.haproxy / NODE_ID / "admin.sock")) <= 97
    assert len(str(places.ray_sessions / SESSION / "sockets" / "plasma_store.1")) <= 107


def test_processes_of_the_stack_read_the_same_settings(tmp_path, monkeypatch):
    production = {"control_url": "https://control.example", "key": "env:PRODUCTION_KEY"}
    settings = Settings(
        state_directory=tmp_path,
        http_port=8123,
        log_level="DEBUG",
        metrics_port=9123,
        environments={"production": production},
    )
    for name, value in settings_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_a_relative_state_directory_is_absolute_for_the_stacks_processes(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert settings_environment(Settings(state_directory=".raygate"))["RAYGATE_STATE_DIRECTORY"] == str(
        tmp_path / ".raygate"
    )


def test_an_address_of_another_ray_is_not_inherited(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert "RAY_ADDRESS" not in stack_environment(Settings())


def test_rays_dashboard_is_told_where_grafana_and_prometheus_are(monkeypatch):
    monkeypatch.setenv("RAY_GRAFANA_HOST", "http://127.0.0.1:3000")
    monkeypatch.setenv("RAY_GRAFANA_IFRAME_HOST", "https://grafana.example.com")
    monkeypatch.delenv("RAY_PROMETHEUS_HOST", raising=False)
    settings = Settings(prometheus_url="http://127.0.0.1:9095")
    told = stack_environment(settings)
    assert told["RAY_GRAFANA_HOST"] == "http://127.0.0.1:3000"
    assert told["RAY_GRAFANA_IFRAME_HOST"] == "https://grafana.example.com"
    assert told["RAY_PROMETHEUS_HOST"] == "http://127.0.0.1:9095"
    monkeypatch.setenv("RAY_PROMETHEUS_HOST", "http://127.0.0.1:9096")
    assert stack_environment(settings)["RAY_PROMETHEUS_HOST"] == "http://127.0.0.1:9096"


def test_every_process_carries_the_mark_of_its_state_directory(tmp_path):
    settings = Settings(state_directory=tmp_path)
    assert stack_environment(settings)["RAYGATE_STACK"] == Places(tmp_path).identity


def test_ray_listens_where_the_settings_say():
    command = ray_command(Settings(ray_port=6400, dashboard_port=8300, ray_client_port=10100))
    assert {"--port=6400", "--dashboard-port=8300", "--ray-client-server-port=10100"} <= set(command)
    assert "--dashboard-host=127.0.0.1" in command


def test_a_directory_that_is_open_to_others_is_not_trusted(tmp_path, monkeypatch):
    monkeypatch.setattr("ray_apps.local.places._SHORT_ROOT", tmp_path)
    places = Places(tmp_path / "state")
    places.sockets.mkdir()
    places.sockets.chmod(0o777)
    with pytest.raises(UnsafeDirectory, match="open to others"):
        places.create()


def test_the_socket_directory_is_ours_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("ray_apps.local.places._SHORT_ROOT", tmp_path)
    places = Places(tmp_path / "state")
    places.create()
    assert places.sockets.stat().st_mode & 0o777 == 0o700
    assert places.sockets.stat().st_uid == os.getuid()
