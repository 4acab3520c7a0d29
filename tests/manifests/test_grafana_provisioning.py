"""What a Grafana without a sidecar is given: a source that is there, and dashboards where it looks."""

import json

import pytest
import yaml


@pytest.fixture
def config_maps(kustomize):
    return {each["metadata"]["name"]: each for each in kustomize("k8s/grafana")}


def provisioned(config_map, kind):
    [text] = config_map["data"].values()
    [found] = yaml.safe_load(text)[kind]
    return found


@pytest.mark.parametrize("environment_name", ["staging", "prod"])
def test_the_data_source_is_the_prometheus_of_the_settings(config_maps, deployed, environment_name):
    source = provisioned(config_maps["raygate-grafana-datasources"], "datasources")
    settings = next(each for each in deployed(environment_name) if each["metadata"]["name"] == "raygate-settings")
    assert source["url"] == settings["data"]["prometheus-url"]
    monitors = (each for each in deployed(environment_name) if each["kind"] in ("PodMonitor", "ServiceMonitor"))
    endpoints = [
        endpoint
        for each in monitors
        for endpoint in each["spec"].get("podMetricsEndpoints") or each["spec"]["endpoints"]
    ]
    assert {endpoint["interval"] for endpoint in endpoints} == {source["jsonData"]["timeInterval"]}


def test_every_dashboard_can_choose_the_source_and_lies_where_the_documents_mount_it(config_maps, repository):
    source = provisioned(config_maps["raygate-grafana-datasources"], "datasources")
    dashboards = config_maps["raygate-dashboards"]["data"]
    assert dashboards
    for text in dashboards.values():
        [chosen] = [one for one in json.loads(text)["templating"]["list"] if one["type"] == "datasource"]
        assert chosen["query"] == source["type"]
    path = provisioned(config_maps["raygate-grafana-providers"], "providers")["options"]["path"]
    told = (repository / "docs/monitoring.md").read_text()
    assert f"| `raygate-dashboards` | `{path}` |" in told


def test_all_are_in_one_namespace_since_pods_mount_nothing_from_another(config_maps):
    assert {each["metadata"]["namespace"] for each in config_maps.values()} == {"monitoring"}
