import re
import tomllib

import pytest
import workloads
import yaml

OURS = "raygate/raygate"


def test_images_have_one_pinned_version(environment, repository):
    version = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["version"]
    for pod in workloads.pods(environment):
        for container in pod.containers:
            name, _, tag = container["image"].partition(":")
            assert re.match(r"(v?\d+\.\d+|RELEASE\.\d{4}-)", tag), f"{pod.name}: {container['image']}"
            if name == OURS:
                assert tag == version, pod.name


def test_pods_keep_to_the_restricted_standard(environment):
    for pod in workloads.pods(environment):
        security = pod.spec["securityContext"]
        assert security["runAsNonRoot"] is True, pod.name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, pod.name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.spec), pod.name
        assert not any("hostPath" in volume for volume in pod.spec.get("volumes", ())), pod.name
        for container in pod.containers:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, pod.name
            assert own["capabilities"] == {"drop": ["ALL"]}, pod.name
            assert own["privileged"] is False, pod.name


def test_the_namespace_enforces_that_standard(environment):
    [namespace] = [document for document in environment if document["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_container_requests_and_limits_cpu_and_memory(environment):
    for pod in workloads.pods(environment):
        for container in pod.containers:
            for kind in ("requests", "limits"):
                assert {"cpu", "memory"} <= set(container["resources"][kind]), f"{pod.name} {kind}"


def test_a_ray_nodes_cpu_request_is_not_below_what_ray_takes_it_for(environment):
    """Ray counts the CPUs of the limit: a request below it would promise CPUs that are not there."""
    for pod in workloads.pods(environment):
        if pod.labels.get("ray.io/node-type") == "worker":
            resources = pod.spec["containers"][0]["resources"]
            assert resources["requests"] == resources["limits"], pod.name


def test_only_head_and_controller_have_a_token_of_the_kubernetes_api(environment):
    """KubeRay gives the head an account of its own, for the autoscaler."""
    for pod in workloads.pods(environment):
        if pod.labels.get("ray.io/node-type") != "head":
            has_token = pod.name == "Deployment/raygate-controller"
            assert pod.spec["automountServiceAccountToken"] is has_token, pod.name


SECRET_NAMES = re.compile(r"PASSWORD|SECRET|TOKEN|(?<!TRUSTED_)KEYS?\b|ACCESS_STORE|ROOT_USER")


def test_what_is_secret_comes_by_reference(environment):
    for pod in workloads.pods(environment):
        for container in pod.containers:
            for name, value in workloads.environment_of(container).items():
                if SECRET_NAMES.search(name):
                    assert list(value) == ["secretKeyRef"], f"{pod.name} {name}"
                elif isinstance(value, str):
                    assert not re.search(r"://[^/\s:]+:(?!\$\()[^@\s]+@", value), f"{pod.name} {name}"


def test_no_secret_is_made_from_git(repository):
    for path in (path for folder in ("kuberay", "k8s") for path in (repository / folder).rglob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        if isinstance(document, dict):
            assert document.get("kind") != "Secret", path
            assert "secretGenerator" not in document, path


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_token_mode_is_said_in_every_place_or_in_none(deployed, name):
    """KubeRay leaves a RAY_AUTH_MODE alone that it finds, so authOptions without it would leave the doors open."""
    for document in deployed(name):
        if document["kind"] not in ("RayService", "RayJob"):
            continue
        cluster = workloads.ray_cluster(document)
        token = "authOptions" in cluster
        assert token == (document["kind"] == "RayJob" or name != "dev")
        modes = {
            workloads.environment_of(pod.spec["containers"][0])["RAY_AUTH_MODE"]
            for pod in workloads.pods_of(document)
            if "ray.io/node-type" in pod.labels
        }
        assert modes == {"token" if token else "disabled"}
        autoscaler = workloads.environment_of(cluster["autoscalerOptions"])
        assert autoscaler.get("RAY_AUTH_MODE") == (None if token else "disabled")
        if token:
            assert cluster["authOptions"] == {"mode": "token", "secretName": "raygate-ray-token"}


def role_of(documents, name):
    [role] = [each for each in documents if each["kind"] == "Role" and each["metadata"]["name"] == name]
    return role


# What deployments/kubernetes_control asks of the API: kind, verb, and the name that it is bound to.
CONTROLLER_ASKS = {
    ("modelendpoints", "get", None), ("modelendpoints", "list", None), ("modelendpoints", "watch", None),
    ("modelendpoints", "patch", None), ("modelendpoints/status", "update", None),
    ("rayservices", "get", "raygate"), ("rayservices", "patch", "raygate"),
    ("raycronjobs", "get", "raygate-replay"), ("rayjobs", "get", None), ("rayjobs", "create", None),
    ("leases", "create", None), ("leases", "get", "raygate-controller"),
    ("leases", "update", "raygate-controller"), ("leases", "patch", "raygate-controller"),
    ("events", "create", None),
}  # fmt: skip


def test_the_controller_may_do_what_it_does_and_nothing_else(environment):
    granted = {
        (kind, verb, name)
        for rule in role_of(environment, "raygate-controller")["rules"]
        for kind in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [None])
    }
    assert granted == CONTROLLER_ASKS


def test_whoever_deploys_may_apply_everything_that_is_not_an_administrators_and_nothing_else(
    environment, kustomize
):
    role = role_of(environment, "raygate-deployer")
    allowed = {
        (group, kind) for rule in role["rules"] for group in rule["apiGroups"] for kind in rule["resources"]
    }
    administrators = {"Namespace", "ResourceQuota", "Role", "RoleBinding"}
    needed, schedules = set(), ("retraining", "batch-scoring", "replay")
    for document in [
        *environment,
        *(each for schedule in schedules for each in kustomize(f"kuberay/schedules/{schedule}")),
    ]:
        group, _, _ = document["apiVersion"].rpartition("/")
        if document["kind"] not in administrators:
            plural = document["kind"].lower()
            needed.add((group, f"{plural[:-1]}ies" if plural.endswith("y") else f"{plural}s"))
    assert needed - allowed == set()
    assert ("", "secrets") not in allowed
    assert not any("*" in (*rule["verbs"], *rule["resources"], *rule["apiGroups"]) for rule in role["rules"])
    assert not any("delete" in rule["verbs"] for rule in role["rules"])
