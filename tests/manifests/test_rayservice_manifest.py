import copy
import re

import pytest
import strict_schema

from deployments.rollout.ray_environment import SHARED_RAY_ENVIRONMENT


@pytest.fixture(scope="module")
def rayservice(kustomize):
    [document] = [each for each in kustomize("kuberay/base") if each["kind"] == "RayService"]
    return document


def pod_specs(rayservice):
    cluster = rayservice["spec"]["rayClusterConfig"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"]["spec"] for group in groups]


def containers(rayservice):
    return [container for pod in pod_specs(rayservice) for container in pod["containers"]]


def environment(container):
    """Variables with their values; one that comes from elsewhere has its source in the value's place."""
    return {entry["name"]: entry.get("value") or entry["valueFrom"] for entry in container["env"]}


def test_the_rayservice_is_valid_against_the_crd_field_by_field(rayservice):
    assert strict_schema.problems(rayservice) == []


def misspell_autoscaling(spec):
    spec["rayClusterConfig"]["enableIntreeAutoscaling"] = True


def unquote_ray_version(spec):
    spec["rayClusterConfig"]["rayVersion"] = 2.60


def misspell_a_container_field(spec):
    spec["rayClusterConfig"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["imagePullPolice"] = (
        "Always"
    )


def leave_the_worker_maximum_out(spec):
    del spec["rayClusterConfig"]["workerGroupSpecs"][0]["maxReplicas"]


def ask_for_an_unknown_autoscaler(spec):
    spec["rayClusterConfig"]["autoscalerOptions"]["version"] = "v3"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(misspell_autoscaling, "enableIntreeAutoscaling", id="misspelt"),
        pytest.param(misspell_a_container_field, "imagePullPolice", id="misspelt-deep-inside"),
        pytest.param(unquote_ray_version, "2.6 is not of type 'string'", id="number-for-text"),
        pytest.param(leave_the_worker_maximum_out, "'maxReplicas' is a required property", id="missing"),
        pytest.param(ask_for_an_unknown_autoscaler, "'v3' is not one of", id="not-in-the-list"),
    ],
)
def test_a_wrong_field_is_named(rayservice, spoil, told):
    spoilt = copy.deepcopy(rayservice)
    spoil(spoilt["spec"])
    assert any(told in problem for problem in strict_schema.problems(spoilt)), strict_schema.problems(spoilt)


def test_the_serve_config_is_not_in_git_because_the_controller_owns_it(rayservice):
    assert "serveConfigV2" not in rayservice["spec"]


def test_head_and_workers_have_the_same_environment(rayservice):
    head, *workers = [environment(container) for container in containers(rayservice)]
    assert workers
    assert all(worker == head for worker in workers)


def test_the_environment_contains_what_a_laptop_sets_too(rayservice):
    for container in containers(rayservice):
        own = environment(container)
        assert {name: own.get(name) for name in SHARED_RAY_ENVIRONMENT} == dict(SHARED_RAY_ENVIRONMENT)


@pytest.mark.parametrize(
    ("variable", "key"),
    [
        pytest.param("RAYGATE_ACCESS_STORE", "access-store", id="keys-and-audit"),
        pytest.param("RAYGATE_LOG_KEYS", "log-keys", id="keys-for-personal-data"),
    ],
)
def test_secrets_come_by_reference(rayservice, variable, key):
    for container in containers(rayservice):
        [entry] = [entry for entry in container["env"] if entry["name"] == variable]
        assert entry == {
            "name": variable,
            "valueFrom": {"secretKeyRef": {"name": "raygate-secrets", "key": key}},
        }


# An API key; a password in a URI, unless it is a variable's; a private key.
SECRET = re.compile(r"\brg_[0-9a-z]{12}_|://[^/\s:]+:(?!\$\()[^@\s]+@|BEGIN [A-Z ]*PRIVATE KEY")


def test_no_secret_stands_in_the_manifests(repository):
    manifests = [path for folder in ("kuberay", "k8s") for path in (repository / folder).rglob("*.yaml")]
    assert manifests
    for path in manifests:
        text = path.read_text()
        assert not SECRET.search(text), path


def test_ray_authentication_is_said_explicitly(rayservice):
    assert all(
        environment(container)["RAY_AUTH_MODE"] in ("disabled", "token") for container in containers(rayservice)
    )


def test_images_are_pinned_and_the_same_everywhere(rayservice):
    images = {container["image"] for container in containers(rayservice)}
    assert len(images) == 1
    assert re.fullmatch(r"raygate/raygate:\d+\.\d+\.\d+", images.pop())


def test_every_container_requests_and_limits_cpu_and_memory(rayservice):
    for container in containers(rayservice):
        resources = container["resources"]
        assert set(resources["requests"]) == set(resources["limits"]) == {"cpu", "memory"}


def test_pods_run_restricted(rayservice):
    for pod in pod_specs(rayservice):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    autoscaler = rayservice["spec"]["rayClusterConfig"]["autoscalerOptions"]
    for container in [*containers(rayservice), autoscaler]:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert not security.get("privileged")


def test_probes_are_left_to_kuberay(rayservice):
    for container in containers(rayservice):
        assert not {"livenessProbe", "readinessProbe", "startupProbe"} & set(container)


def test_workers_follow_serve_and_nothing_runs_on_the_head(rayservice):
    cluster = rayservice["spec"]["rayClusterConfig"]
    assert cluster["enableInTreeAutoscaling"] is True
    assert cluster["autoscalerOptions"]["version"] == "v2"
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    [workers] = cluster["workerGroupSpecs"]
    assert (workers["minReplicas"], workers["maxReplicas"]) == (1, 5)
