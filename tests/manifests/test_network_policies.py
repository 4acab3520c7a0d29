"""Who may talk to whom, asked of the rendered policies with the labels of the rendered pods."""

import network_policies
import pytest
import workloads
from network_policies import Peer


def in_namespace(name, **labels):
    return Peer(labels, name, {"kubernetes.io/metadata.name": name})


STRANGER = in_namespace("shop")
CALLER = Peer({}, "shop", {"kubernetes.io/metadata.name": "shop", "raygate.io/may-call": "true"})
DNS = in_namespace("kube-system", **{"k8s-app": "kube-dns"})
OPERATOR = in_namespace("kuberay-system")
PROMETHEUS = in_namespace("monitoring")
INTERNET = Peer(address="203.0.113.7")
NODE_METADATA = Peer(address="169.254.169.254")


@pytest.fixture(scope="module")
def connected(deployed):
    def ask(environment, source, destination, port, protocol="TCP"):
        documents = deployed(environment)
        policies = [document for document in documents if document["kind"] == "NetworkPolicy"]
        pods = {pod.name: pod for pod in workloads.pods(documents)}
        ends = [Peer(pods[end].labels) if isinstance(end, str) else end for end in (source, destination)]
        return network_policies.allowed(policies, *ends, port, protocol)

    return ask


HEAD, WORKER = "RayService/raygate/headgroup", "RayService/raygate/serving"
JOB_HEAD, JOB_WORKER = "RayJob/raygate-training/headgroup", "RayJob/raygate-training/workers"
CONTROLLER = "Deployment/raygate-controller"
RETRAINING = ("CronJob/raygate-retraining", "RayJob/raygate-retraining/workers")
SUBMITTER, LISTENER = "RayJob/raygate-training/submitter", "Deployment/raygate-https"


@pytest.mark.parametrize(
    ("source", "destination", "port"),
    [
        pytest.param(WORKER, HEAD, 6379, id="worker-to-gcs"),
        pytest.param(WORKER, WORKER, 30_000, id="haproxy-to-gateway"),
        pytest.param(HEAD, WORKER, 52_365, id="head-to-agent"),
        pytest.param(LISTENER, WORKER, 8000, id="listener-to-api"),
        pytest.param(INTERNET, LISTENER, 8443, id="anybody-to-listener"),
        pytest.param(CALLER, WORKER, 8000, id="marked-namespace-to-api"),
        pytest.param(OPERATOR, HEAD, 8265, id="operator-to-dashboard"),
        pytest.param(OPERATOR, JOB_HEAD, 8265, id="operator-to-jobs"),
        pytest.param(SUBMITTER, JOB_HEAD, 8265, id="submitter-to-jobs"),
        pytest.param(JOB_WORKER, JOB_HEAD, 6379, id="job-to-its-gcs"),
        pytest.param(PROMETHEUS, WORKER, 9101, id="prometheus-to-haproxy"),
        pytest.param(PROMETHEUS, CONTROLLER, 8001, id="prometheus-to-controller"),
        pytest.param(PROMETHEUS, JOB_WORKER, 8080, id="prometheus-to-ray"),
        pytest.param(PROMETHEUS, LISTENER, 8405, id="prometheus-to-listener"),
        pytest.param(HEAD, INTERNET, 6443, id="autoscaler-to-kubernetes"),
        pytest.param(CONTROLLER, INTERNET, 443, id="controller-to-kubernetes"),
        pytest.param(CONTROLLER, HEAD, 8265, id="controller-to-dashboard"),
        pytest.param(CONTROLLER, WORKER, 8000, id="controller-to-monitor"),
        pytest.param(CONTROLLER, INTERNET, 5432, id="controller-to-keys"),
        pytest.param(CONTROLLER, PROMETHEUS, 9090, id="controller-to-prometheus"),
        *[pytest.param(pod, CONTROLLER, 8001, id=f"retraining-to-controller-{pod[:3]}") for pod in RETRAINING],
        *[pytest.param(pod, WORKER, 8000, id=f"retraining-to-monitor-{pod[:3]}") for pod in RETRAINING],
        pytest.param(WORKER, INTERNET, 443, id="worker-to-bucket"),
        pytest.param(WORKER, INTERNET, 5432, id="worker-to-keys"),
        pytest.param(HEAD, INTERNET, 6379, id="head-to-redis"),
        pytest.param(HEAD, in_namespace("monitoring"), 3000, id="dashboard-to-grafana"),
        pytest.param(HEAD, PROMETHEUS, 9090, id="dashboard-to-prometheus"),
    ],
)
def test_what_is_needed_goes_through(connected, source, destination, port):
    assert connected("prod", source, destination, port)


@pytest.mark.parametrize(
    ("source", "destination", "port"),
    [
        pytest.param(STRANGER, WORKER, 8000, id="another-tenant-to-api"),
        pytest.param(CALLER, HEAD, 8265, id="caller-to-dashboard"),
        pytest.param(CALLER, WORKER, 9090, id="caller-to-monitor-port"),
        pytest.param(LISTENER, HEAD, 8265, id="listener-to-dashboard"),
        pytest.param(LISTENER, INTERNET, 443, id="listener-to-anywhere"),
        pytest.param(JOB_WORKER, HEAD, 6379, id="job-to-serving-gcs"),
        pytest.param(JOB_WORKER, CONTROLLER, 8001, id="job-to-controller"),
        pytest.param(RETRAINING[0], HEAD, 8265, id="retraining-to-dashboard"),
        pytest.param(CALLER, CONTROLLER, 8001, id="caller-to-controller"),
        pytest.param(CONTROLLER, WORKER, 30_000, id="controller-to-gateway"),
        pytest.param(JOB_WORKER, WORKER, 30_000, id="job-to-gateway"),
        pytest.param(PROMETHEUS, HEAD, 8265, id="prometheus-to-dashboard"),
        pytest.param(INTERNET, WORKER, 8000, id="anybody-to-plain-api"),
        pytest.param(WORKER, INTERNET, 6443, id="worker-to-kubernetes"),
        pytest.param(WORKER, NODE_METADATA, 443, id="worker-to-node-credentials"),
        pytest.param(WORKER, INTERNET, 22, id="worker-to-any-port"),
        pytest.param(WORKER, PROMETHEUS, 9090, id="worker-to-prometheus"),
    ],
)
def test_nothing_else_does(connected, source, destination, port):
    assert not connected("prod", source, destination, port)


@pytest.mark.parametrize("source", [HEAD, WORKER, JOB_WORKER, LISTENER, "CronJob/raygate-log-compact"])
@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_every_pod_may_resolve_names(connected, source, protocol):
    assert connected("prod", source, DNS, 53, protocol)


@pytest.mark.parametrize(
    ("source", "store", "port", "passes"),
    [
        pytest.param(HEAD, "redis", 6379, True, id="head-to-redis"),
        pytest.param(WORKER, "postgresql", 5432, True, id="gateway-to-keys"),
        pytest.param(WORKER, "object-store", 9000, True, id="gateway-to-log"),
        pytest.param(JOB_WORKER, "mlflow", 5000, True, id="training-to-registry"),
        pytest.param(CONTROLLER, "mlflow", 5000, True, id="controller-to-registry"),
        pytest.param(CONTROLLER, "object-store", 9000, True, id="controller-to-log"),
        pytest.param(CONTROLLER, "postgresql", 5432, True, id="controller-to-keys-inside"),
        pytest.param("StatefulSet/mlflow", "postgresql", 5432, True, id="registry-to-its-tables"),
        pytest.param("StatefulSet/mlflow", WORKER, 8000, False, id="registry-to-api"),
        pytest.param(STRANGER, "postgresql", 5432, False, id="another-tenant-to-keys"),
    ],
)
def test_stores_of_development_are_for_this_namespace(connected, source, store, port, passes):
    destination = store if "/" in store else f"StatefulSet/{store}"
    assert connected("dev", source, destination, port) is passes


def test_nothing_is_open_to_everybody_but_the_listener(environment):
    for policy in (document for document in environment if document["kind"] == "NetworkPolicy"):
        for rule in policy["spec"].get("ingress", ()):
            assert "from" in rule or policy["metadata"]["name"] == "tls-listener", policy["metadata"]["name"]
