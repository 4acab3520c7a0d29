"""The controller's Deployment sets what its process reads, and is who the rights are given to."""

import pytest
import workloads

from ray_apps.kubernetes_settings import KubernetesSettings


@pytest.fixture
def controller(environment):
    [pod] = [pod for pod in workloads.pods(environment) if pod.name == "Deployment/raygate-controller"]
    return pod


def settings_of(documents, pod, monkeypatch):
    [container] = pod.spec["containers"]
    [config] = [
        each["data"]
        for each in documents
        if each["kind"] == "ConfigMap" and each["metadata"]["name"] == "raygate-settings"
    ]
    for name, value in workloads.environment_of(container).items():
        if isinstance(value, dict):
            key = value.get("configMapKeyRef", {}).get("key")
            value = config.get(key) if key else "from-elsewhere"
        if value is not None:
            monkeypatch.setenv(name, value)
    return KubernetesSettings()


def test_its_settings_are_those_of_its_environment(environment, controller, monkeypatch):
    settings = settings_of(environment, controller, monkeypatch)
    [namespace] = [each["metadata"]["name"] for each in environment if each["kind"] == "Namespace"]
    assert namespace == f"raygate-{settings.environment}"
    assert settings.prediction_log.startswith("s3://")
    assert settings.mlflow_uri.startswith("http")
    assert str(settings.models) == "/models"
    assert (settings.ray_token, settings.api_key, settings.pod) == ("from-elsewhere",) * 3


def test_it_asks_for_signatures_where_the_settings_name_keys_and_only_there(environment, controller, monkeypatch):
    assert settings_of(environment, controller, monkeypatch).signers is None
    [config] = [each for each in environment if each["kind"] == "ConfigMap" and "environment" in each["data"]]
    with_keys = {**config, "data": {**config["data"], "trusted-keys": "file:/etc/raygate/trusted-keys"}}
    settings = settings_of([with_keys], controller, monkeypatch)
    assert settings.signers == "file:/etc/raygate/trusted-keys"


def test_caches_and_monitoring_are_told_by_keys_that_may_be_left_out(controller):
    [container] = controller.spec["containers"]
    told = workloads.environment_of(container)
    for name in ("CACHE_CONFIG", "MONITORING_CONFIG"):
        key = {"name": "raygate-settings", "key": name.lower().replace("_", "-"), "optional": True}
        assert told[name] == {"configMapKeyRef": key}


def test_it_asks_where_the_rayservice_is(environment, controller, monkeypatch):
    settings = settings_of(environment, controller, monkeypatch)
    [service] = [each for each in environment if each["kind"] == "RayService"]
    assert settings.ray_service == service["metadata"]["name"]
    assert settings.monitor.startswith(f"http://{service['metadata']['name']}-serve-svc.")


def test_it_knows_how_long_the_listener_waits(environment, controller, monkeypatch):
    settings = settings_of(environment, controller, monkeypatch)
    [service] = [each for each in environment if each["kind"] == "RayService"]
    cluster = service["spec"]["rayClusterConfig"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for container in [group["template"]["spec"]["containers"][0] for group in groups]:
        patience = workloads.environment_of(container)["RAY_SERVE_HAPROXY_TIMEOUT_SERVER_S"]
        assert float(patience) == settings.listener_seconds


def test_it_starts_a_module_that_is_there_on_the_port_that_is_probed(environment, controller, monkeypatch):
    import importlib.util

    [container] = controller.spec["containers"]
    assert importlib.util.find_spec(container["command"][-1])
    assert controller.ports["admin"] == settings_of(environment, controller, monkeypatch).control_port


def test_two_controllers_take_turns_and_the_role_is_theirs(environment, controller):
    [deployment] = [
        each
        for each in environment
        if each["metadata"]["name"] == "raygate-controller" and each["kind"] == "Deployment"
    ]
    assert deployment["spec"]["replicas"] == 2
    [binding] = [
        each
        for each in environment
        if each["kind"] == "RoleBinding" and each["metadata"]["name"] == "raygate-controller"
    ]
    assert [each["name"] for each in binding["subjects"]] == [controller.spec["serviceAccountName"]]
