"""The controller put together as its process does it, with its threads."""

import threading
from contextlib import contextmanager

import pytest
import sqlalchemy
from kubernetes_api import NAMESPACE
from kubernetes_namespace import endpoint, until
from ray_dashboard import RayDashboard

from deployments.access import database
from deployments.contracts.model_version import Version
from deployments.kubernetes_control.errors import KubernetesUnavailable
from deployments.kubernetes_control.kubernetes_cluster import KubernetesCluster, connect
from deployments.rollout.commands import Command
from deployments.rollout.decision_audit import DECISIONS
from deployments.rollout.registry import MemoryRegistry
from deployments.runtime import signature
from deployments.runtime.signing_keys import KeyDirectory
from ray_apps import kubernetes_controller
from ray_apps.kubernetes_settings import KubernetesSettings


@pytest.fixture
def kubeconfig(namespace, tmp_path):
    file = tmp_path / "kubeconfig"
    file.write_text(
        f"""
        {{apiVersion: v1, kind: Config, current-context: test,
         contexts: [{{name: test, context: {{cluster: test, user: test}}}}],
         clusters: [{{name: test, cluster: {{server: "{namespace.api.url}"}}}}],
         users: [{{name: test, user: {{token: secret}}}}]}}
        """
    )
    return file


@pytest.fixture
def environment(namespace, kubeconfig, tmp_path, monkeypatch):
    """What the Deployment sets, for this machine."""
    dashboard = RayDashboard(namespace.serve, "ray-token")
    for version in ("1.0.0", "1.1.0"):
        package = tmp_path / "models" / "credit_risk" / f"v{version}"
        package.mkdir(parents=True)
        (package / "manifest.json").write_text(version)
        (package / "feature_schema.json").write_text('{"features": [{"name": "Age", "kind": "number"}]}')
    variables = {
        "RAYGATE_NAMESPACE": NAMESPACE,
        "RAYGATE_POD": "raygate-controller-0",
        "RAYGATE_KUBECONFIG": str(kubeconfig),
        "RAYGATE_DASHBOARD": dashboard.url,
        "RAYGATE_SERVING_URL": dashboard.url,
        "RAY_AUTH_TOKEN": "ray-token",
        "MODEL_PATH": str(tmp_path / "models"),
        "RAYGATE_STATE_DIRECTORY": str(tmp_path / "state"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    yield monkeypatch
    dashboard.shutdown()
    dashboard.server_close()


@contextmanager
def controlled():
    """A controller that runs with the settings of this moment."""
    settings = KubernetesSettings()
    cluster = KubernetesCluster(connect(settings.kubeconfig), settings.namespace)
    controller, stopping = kubernetes_controller.build(settings, cluster), threading.Event()
    thread = threading.Thread(target=controller.run, args=(stopping,))
    thread.start()
    try:
        yield controller
    finally:
        stopping.set()
        controller.changed.set()
        thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def running(environment):
    with controlled() as controller:
        yield controller


def test_it_leads_serves_what_is_there_and_lets_go_at_its_end(namespace, running):
    namespace.api.apply("modelendpoints", endpoint(), "kubectl")
    until(lambda: namespace.condition("credit-risk", "Ready") == ("True", "InForce"))
    [pool] = [each for each in namespace.serve.puts[-1]["applications"] if each["name"] == "credit_risk_v1.0.0"]
    assert pool["args"]["package_directory"].endswith("/models/credit_risk/v1.0.0")
    assert namespace.api.get("leases", "raygate-controller")["spec"]["holderIdentity"] == "raygate-controller-0"


def test_the_lease_is_not_let_go_while_the_last_look_goes_on(namespace, environment):
    settings = KubernetesSettings()
    cluster = KubernetesCluster(connect(settings.kubeconfig), settings.namespace)
    controller, stopping = kubernetes_controller.build(settings, cluster), threading.Event()
    begun, may_end = threading.Event(), threading.Event()

    def look():
        begun.set()
        may_end.wait(20)

    environment.setattr(controller.reconciler, "look", look)
    thread = threading.Thread(target=controller.run, args=(stopping,))
    thread.start()
    assert begun.wait(10)
    stopping.set()
    controller.changed.set()
    thread.join(0.5)
    held_by = namespace.api.get("leases", "raygate-controller")["spec"]["holderIdentity"]
    may_end.set()
    thread.join(20)
    assert held_by == "raygate-controller-0"
    assert namespace.api.get("leases", "raygate-controller")["spec"]["holderIdentity"] == ""


def test_gateways_are_told_who_may_call_and_what_is_remembered(namespace, environment, tmp_path, request):
    policy = tmp_path / "policy.yaml"
    policy.write_text("{store: env:RAYGATE_ACCESS_STORE, limits: {roles: {predictor: {requestsPerSecond: 50}}}}")
    environment.setenv("RAYGATE_ACCESS_POLICY", str(policy))
    environment.setenv("CACHE_CONFIG", '{"enable": true, "ttl": 60}')
    environment.setenv("MONITORING_CONFIG", '{"alerts": true, "thresholds": {"psi_critical": 0.3}}')
    environment.setenv("RAYGATE_CACHE", "env:REDIS")
    request.getfixturevalue("running")
    namespace.api.apply("modelendpoints", endpoint(), "kubectl")
    until(lambda: namespace.condition("credit-risk", "Ready") == ("True", "InForce"))
    told = gateways(namespace)["args"]
    assert told["access"]["store"] == "env:RAYGATE_ACCESS_STORE"
    assert told["access"]["limits"]["roles"]["predictor"]["requestsPerSecond"] == 50
    assert (told["cache"], told["cache_by_default"], told["cache_ttl_seconds"]) == ("env:REDIS", True, 60)
    [monitor] = [each for each in namespace.serve.puts[-1]["applications"] if each["name"] == "raygate-monitor"]
    assert monitor["args"]["monitoring"] == {"thresholds": {"psi_critical": 0.3}}


def gateways(namespace):
    """The gateways' application, as Serve was asked for it last."""
    [found] = [each for each in namespace.serve.puts[-1]["applications"] if each["name"] == "raygate-gateway"]
    return found


def test_new_settings_reach_gateways_that_run(namespace, environment, tmp_path):
    namespace.api.apply("modelendpoints", endpoint(), "kubectl")
    with controlled():
        until(lambda: namespace.condition("credit-risk", "Ready") == ("True", "InForce"))
    assert gateways(namespace)["deployments"][0]["num_replicas"] == 2
    policy = tmp_path / "policy.yaml"
    policy.write_text("{store: env:RAYGATE_ACCESS_STORE, limits: {roles: {predictor: {requestsPerSecond: 50}}}}")
    environment.setenv("RAYGATE_ACCESS_POLICY", str(policy))
    environment.setenv("RAYGATE_GATEWAY_REPLICAS", "4")
    with controlled():
        until(lambda: gateways(namespace)["deployments"][0]["num_replicas"] == 4)
    assert gateways(namespace)["args"]["access"]["limits"]["roles"]["predictor"]["requestsPerSecond"] == 50


def test_what_is_decided_is_in_the_audits_database(namespace, environment, empty_postgresql, request):
    environment.setenv("AUDIT_DATABASE", empty_postgresql)
    environment.setenv("RAYGATE_AUDIT_STORE", "env:AUDIT_DATABASE")
    environment.setattr(kubernetes_controller, "AUDIT_SECONDS", 0.1)
    request.getfixturevalue("running")
    namespace.api.apply("modelendpoints", endpoint(), "kubectl")
    until(lambda: namespace.condition("credit-risk", "Ready") == ("True", "InForce"))
    namespace.api.delete("modelendpoints", "credit-risk")
    until(lambda: namespace.api.list("modelendpoints") == [])

    def audited():
        made = sqlalchemy.select(DECISIONS.c["endpoint", "number", "action"]).order_by(DECISIONS.c.position)
        with database.connect(empty_postgresql).connect() as connection:
            return [tuple(row) for row in connection.execute(made)]

    until(lambda: len(audited()) == 2)
    assert audited() == [("credit-risk", 1, "apply"), ("credit-risk", 2, "delete")]


def test_a_version_that_was_never_packaged_is_named_in_the_status(namespace, running):
    namespace.api.apply("modelendpoints", endpoint(versions=("1.0.0", "3.0.0")), "kubectl")
    until(lambda: namespace.condition("credit-risk", "Accepted") == ("False", "InvalidDocument"))
    assert "credit_risk 3.0.0 is not in the model store" in namespace.message("credit-risk", "Accepted")


@pytest.fixture
def keys(environment, tmp_path):
    """Keys that packages must be signed with; of the two versions one is."""
    made = KeyDirectory(tmp_path / "signing-keys")
    made.create()
    signature.write(tmp_path / "models" / "credit_risk" / "v1.0.0", made.active())
    environment.setenv("RAYGATE_TRUSTED_KEYS", f"file:{made.directory / 'trusted'}")
    return made


def test_a_version_that_is_not_signed_is_named_in_the_status(namespace, keys, running):
    namespace.api.apply("modelendpoints", endpoint(versions=("1.0.0", "1.1.0")), "kubectl")
    until(lambda: namespace.condition("credit-risk", "Accepted") == ("False", "InvalidDocument"))
    assert "credit_risk 1.1.0 is not served" in namespace.message("credit-risk", "Accepted")
    assert "it is not signed" in namespace.message("credit-risk", "Accepted")
    assert not any("credit_risk" in str(put) for put in namespace.serve.puts)


def test_pools_ask_for_the_signatures_that_the_controller_asks_for(namespace, keys, running, tmp_path):
    signature.write(tmp_path / "models" / "credit_risk" / "v1.1.0", keys.active())
    namespace.api.apply("modelendpoints", endpoint(), "kubectl")
    until(lambda: namespace.condition("credit-risk", "Ready") == ("True", "InForce"))
    [pool] = [each for each in namespace.serve.puts[-1]["applications"] if each["name"] == "credit_risk_v1.0.0"]
    assert pool["args"]["trusted_keys"] == f"file:{keys.directory / 'trusted'}"


def test_without_the_right_token_of_ray_that_is_told(namespace, environment, request):
    environment.setenv("RAY_AUTH_TOKEN", "wrong")
    request.getfixturevalue("running")
    namespace.api.apply("modelendpoints", endpoint(), "kubectl")
    until(lambda: namespace.condition("credit-risk", "Ready") == ("Unknown", "NotApplied"))
    assert "401" in namespace.message("credit-risk", "Ready")


def test_outside_of_a_pod_and_without_a_kubeconfig_that_is_said():
    with pytest.raises(KubernetesUnavailable, match="Service host/port is not set"):
        connect()


class Hanging(MemoryRegistry):
    """Does not answer before it is told to."""

    asked, may_answer = threading.Event(), threading.Event()

    def name_champion(self, version):
        self.asked.set()
        self.may_answer.wait(20)


def test_a_registry_that_hangs_holds_up_no_endpoint(namespace, environment, request):
    environment.setattr(kubernetes_controller, "MlflowRegistry", lambda uri: Hanging())
    environment.setattr(kubernetes_controller, "risk_tiers", lambda settings: lambda *version: None)
    environment.setattr(kubernetes_controller, "CHAMPION_SECONDS", 0.05)
    controller = request.getfixturevalue("running")
    namespace.api.apply("modelendpoints", endpoint(), "kubectl")
    until(lambda: namespace.condition("credit-risk", "Ready") == ("True", "InForce"))
    controller.service.start("credit-risk", None, "ann")
    controller.service.obey("credit-risk", Command.PROMOTE, "bob")
    assert Hanging.asked.wait(10)
    controller.service.start("credit-risk", Version(1, 0, 0), "ann")
    until(lambda: namespace.weights() == {"1.1.0": 95, "1.0.0": 5})
    assert str(controller.service.latest("credit-risk").owed_champion) == "credit_risk_v1.1.0"
    Hanging.may_answer.set()
    until(lambda: controller.service.latest("credit-risk").owed_champion is None)
