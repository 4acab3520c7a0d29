"""What a manifest names is there: pods behind selectors, ports, volumes, settings, accounts, secrets."""

import re

import pytest
import workloads

from monitoring import prometheus_rule

# Made by hand or by cert-manager, as docs/kubernetes.md says: name and keys.
SECRETS = {
    "raygate-secrets": {"access-store", "log-keys"},
    "raygate-redis": {"password"},
    "raygate-ray-token": {"auth_token"},
    "raygate-object-store": {"access-key", "secret-key"},
    "raygate-postgresql": {"password"},
    "raygate-tls": {"tls.crt", "tls.key"},
    "raygate-metrics-key": {"key"},
    "raygate-retraining-key": {"key"},
}
# From files of the user: training document, retraining plan, access policy, keys of packages.
MADE_BY_HAND = {"raygate-training", "raygate-access", "raygate-trusted-keys"}
# KubeRay makes them for the RayService `raygate`.
OF_KUBERAY = {"raygate-serve-svc": 8000}


def of_kind(documents, *kinds):
    return [document for document in documents if document["kind"] in kinds]


def names(documents, kind):
    return {document["metadata"]["name"] for document in of_kind(documents, kind)}


def test_everything_is_in_the_namespace_of_its_environment(deployed):
    for environment in ("dev", "staging", "prod"):
        for document in deployed(environment):
            if document["kind"] == "Namespace":
                assert document["metadata"]["name"] == f"raygate-{environment}"
            elif document["kind"] != "RayJob":  # started by hand, with -n
                assert document["metadata"]["namespace"] == f"raygate-{environment}", document["metadata"]["name"]


def test_every_service_finds_pods_and_its_ports_are_theirs(environment):
    every = workloads.pods(environment)
    for service in of_kind(environment, "Service"):
        behind = [
            pod for pod in every if workloads.selects({"matchLabels": service["spec"]["selector"]}, pod.labels)
        ]
        assert behind, service["metadata"]["name"]
        for port in service["spec"]["ports"]:
            assert all(port["targetPort"] in pod.ports for pod in behind), service["metadata"]["name"]


def test_every_selector_of_pods_takes_some(deployed):
    """In one of the environments: policies for stores select nothing where the stores are elsewhere."""
    taken, seen = set(), set()
    for documents in map(deployed, ("dev", "staging", "prod")):
        pods = workloads.pods(documents)
        for document in of_kind(documents, "PodDisruptionBudget", "NetworkPolicy", "PodMonitor"):
            selector = document["spec"].get("selector", document["spec"].get("podSelector"))
            where = (document["kind"], document["metadata"]["name"])
            seen.add(where)
            if any(workloads.selects(selector, pod.labels) for pod in pods):
                taken.add(where)
    assert seen == taken


def test_a_disruption_budget_is_about_more_than_one_pod(environment):
    for budget in of_kind(environment, "PodDisruptionBudget"):
        taken = [
            pod for pod in workloads.pods(environment) if workloads.selects(budget["spec"]["selector"], pod.labels)
        ]
        assert not any(pod.labels.get("ray.io/node-type") == "head" for pod in taken)
        if not any("ray.io/node-type" in pod.labels for pod in taken):
            assert budget["spec"]["maxUnavailable"] == 1


def test_workers_may_be_drained_while_there_are_as_many_as_there_are_at_least(environment):
    """A RayCluster has no scale subresource: only a whole number that stays can be counted."""
    [service] = of_kind(environment, "RayService")
    [group] = [
        each for each in workloads.ray_cluster(service)["workerGroupSpecs"] if each["groupName"] == "serving"
    ]
    [budget] = [
        each for each in of_kind(environment, "PodDisruptionBudget") if "serving" in each["metadata"]["name"]
    ]
    assert "maxUnavailable" not in budget["spec"]
    assert budget["spec"]["minAvailable"] == group["minReplicas"] - 1


def test_every_port_that_is_probed_or_scraped_has_a_pod_that_names_it(environment):
    every = workloads.pods(environment)
    for pod in every:
        for container in pod.containers:
            for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
                for check in ("httpGet", "tcpSocket"):
                    port = container.get(probe, {}).get(check, {}).get("port")
                    assert port is None or port in pod.ports, f"{pod.name} {probe}"
    for monitor in of_kind(environment, "PodMonitor"):
        scraped = [pod for pod in every if workloads.selects(monitor["spec"]["selector"], pod.labels)]
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            assert scraped
            assert all(endpoint["port"] in pod.ports for pod in scraped), monitor["metadata"]["name"]


def test_what_is_not_a_rays_own_has_probes(environment):
    """KubeRay gives its pods probes; jobs end by themselves."""
    for pod in workloads.pods(environment):
        if "ray.io/node-type" not in pod.labels and pod.labels["app.kubernetes.io/component"] != "job":
            assert all({"readinessProbe", "livenessProbe"} <= set(container) for container in pod.containers), (
                pod.name
            )


def test_ports_of_one_pod_have_different_names_and_numbers(environment):
    for pod in workloads.pods(environment):
        ports = [port for container in pod.spec["containers"] for port in container.get("ports", ())]
        assert (
            len({port["name"] for port in ports}) == len({port["containerPort"] for port in ports}) == len(ports)
        )


def test_rays_metrics_port_is_the_one_that_kuberay_starts_ray_with(environment):
    for pod in workloads.pods(environment):
        if "ray.io/node-type" in pod.labels:
            assert pod.ports["metrics"] == 8080, pod.name


def test_volumes_settings_and_accounts_are_there(environment):
    claims, settings = names(environment, "PersistentVolumeClaim"), names(environment, "ConfigMap")
    accounts = names(environment, "ServiceAccount")
    for pod in workloads.pods(environment):
        volumes = {volume["name"]: volume for volume in pod.spec.get("volumes", ())}
        own = {"data"} if pod.name.startswith("StatefulSet") else set()
        mounted = {mount["name"] for container in pod.containers for mount in container.get("volumeMounts", ())}
        assert mounted == set(volumes) | own, pod.name
        for volume in volumes.values():
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims, pod.name
            if "configMap" in volume:
                assert volume["configMap"]["name"] in settings | MADE_BY_HAND, pod.name
        assert pod.spec.get("serviceAccountName") in accounts | {None}, pod.name


def references(documents, kind):
    """Names and keys of what every container's environment refers to, and whether it may be missing."""
    for pod in workloads.pods(documents):
        for container in pod.containers:
            for value in workloads.environment_of(container).values():
                if isinstance(value, dict) and kind in value:
                    yield pod.name, value[kind]["name"], value[kind]["key"], value[kind].get("optional", False)


def test_every_setting_that_must_be_there_is(environment):
    [settings] = [
        each for each in of_kind(environment, "ConfigMap") if each["metadata"]["name"] == "raygate-settings"
    ]
    for pod, name, key, optional in references(environment, "configMapKeyRef"):
        assert name == "raygate-settings", pod
        assert optional or key in settings["data"], f"{pod}: {key}"
    known = {key for _, _, key, _ in references(environment, "configMapKeyRef")}
    assert set(settings["data"]) <= known, "a setting that nobody reads"


def test_every_secret_is_one_that_the_installation_makes(environment, repository):
    used = {(name, key) for _, name, key, _ in references(environment, "secretKeyRef")}
    for document in environment:
        if document["kind"] in ("RayService", "RayJob"):
            cluster = workloads.ray_cluster(document)
            if "authOptions" in cluster:
                used.add((cluster["authOptions"]["secretName"], "auth_token"))
            if "gcsFaultToleranceOptions" in cluster:
                password = cluster["gcsFaultToleranceOptions"]["redisPassword"]["valueFrom"]["secretKeyRef"]
                used.add((password["name"], password["key"]))
    assert all(key in SECRETS.get(name, ()) for name, key in used), used
    page = (repository / "docs/kubernetes.md").read_text()
    for name, keys in SECRETS.items():
        assert name in page, f"docs/kubernetes.md does not say how to make {name}"
        assert all(key in page for key in keys), f"docs/kubernetes.md does not name the keys of {name}"


@pytest.mark.parametrize("environment_name", ["staging", "prod"])
def test_addresses_of_services_in_configuration_lead_somewhere(deployed, environment_name, repository):
    text = (repository / "k8s/components/tls/haproxy.cfg").read_text()
    [(host, domain, port)] = re.findall(r'^\s*server \S+ "([\w-]+)\.(\S+):(\d+)"', text, re.MULTILINE)
    assert OF_KUBERAY[host] == int(port)
    # HAProxy's resolvers know no search domains: a short name is found once, at the start, and then never again.
    assert domain == "${NAMESPACE}.svc.${CLUSTER_DOMAIN}"
    [listener] = [
        pod for pod in workloads.pods(deployed(environment_name)) if pod.name == "Deployment/raygate-https"
    ]
    [container] = listener.containers
    assert {"NAMESPACE", "CLUSTER_DOMAIN"} <= {variable["name"] for variable in container["env"]}
    [service] = of_kind(deployed(environment_name), "RayService")
    assert host == f"{service['metadata']['name']}-serve-svc"
    [worker] = [pod for pod in workloads.pods_of(service) if pod.labels["ray.io/node-type"] == "worker"]
    assert worker.ports["serve"] == int(port)


def test_stores_of_development_are_where_its_settings_say(deployed):
    services = {each["metadata"]["name"]: each for each in of_kind(deployed("dev"), "Service")}
    [settings] = of_kind(deployed("dev"), "ConfigMap")
    [service] = of_kind(deployed("dev"), "RayService")
    redis = workloads.ray_cluster(service)["gcsFaultToleranceOptions"]["redisAddress"]
    addresses = [settings["data"]["tracking-url"], settings["data"]["object-store-url"], redis]
    for address in addresses:
        host, port = address.removeprefix("http://").split(":")
        assert services[host]["spec"]["ports"][0]["port"] == int(port)


@pytest.mark.parametrize("environment_name", ["staging", "prod"])
def test_alerts_and_dashboards_are_those_of_the_laptop(deployed, environment_name, repository):
    [rules] = of_kind(deployed(environment_name), "PrometheusRule")
    assert rules["spec"]["groups"] == prometheus_rule.groups(), "run `make manifests`"
    settings = {each["metadata"]["name"]: each for each in of_kind(deployed(environment_name), "ConfigMap")}
    dashboards = {
        path.name: path.read_text() for path in (repository / "monitoring/dashboards/grafana").glob("*.json")
    }
    assert settings["raygate-dashboards"]["data"] == dashboards
    assert settings["raygate-dashboards"]["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_what_retraining_asks_is_where_its_settings_say(deployed):
    documents = deployed("prod")
    [controller] = [
        each for each in of_kind(documents, "Service") if each["metadata"]["name"] == "raygate-controller"
    ]
    [pod] = [pod for pod in workloads.pods(documents) if pod.name == "CronJob/raygate-retraining"]
    variables = workloads.environment_of(pod.spec["containers"][0])
    [port] = controller["spec"]["ports"]
    assert variables["RAYGATE_CONTROLLER"] == f"http://raygate-controller:{port['port']}"
    host, port = variables["RAYGATE_MONITOR"].removeprefix("http://").partition("/")[0].split(":")
    assert OF_KUBERAY[host] == int(port)
