import pytest
import workloads


@pytest.fixture
def clusters(deployed):
    return {
        name: workloads.ray_cluster(next(each for each in deployed(name) if each["kind"] == "RayService"))
        for name in ("dev", "staging", "prod")
    }


def test_the_heads_state_outlives_the_head(clusters):
    for cluster in clusters.values():
        options = cluster["gcsFaultToleranceOptions"]
        assert options["redisAddress"]
        # Two clusters live side by side during an upgrade; with one name they would share their state.
        assert "externalStorageNamespace" not in options
        head = workloads.environment_of(cluster["headGroupSpec"]["template"]["spec"]["containers"][0])
        # KubeRay sets these itself then, and refuses a cluster that has them.
        assert not {"RAY_REDIS_ADDRESS", "REDIS_PASSWORD", "RAY_external_storage_namespace"} & set(head)


def test_production_survives_a_drain_and_a_failure_at_once(clusters):
    [workers] = clusters["prod"]["workerGroupSpecs"]
    assert workers["minReplicas"] >= 3
    spread = {each["topologyKey"]: each for each in workers["template"]["spec"]["topologySpreadConstraints"]}
    assert spread["kubernetes.io/hostname"]["whenUnsatisfiable"] == "DoNotSchedule"
    assert "topology.kubernetes.io/zone" in spread


def test_pods_that_are_spread_are_the_pods_of_the_constraint(environment):
    for pod in workloads.pods(environment):
        for constraint in pod.spec.get("topologySpreadConstraints", ()):
            assert workloads.selects(constraint["labelSelector"], pod.labels), pod.name


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_overlays_differ_in_numbers_not_in_what_runs(clusters, kustomize, name):
    """A patch that replaced a list would leave a container without its image, and still be valid."""
    [service] = kustomize("kuberay/base")
    base, cluster = workloads.ray_cluster(service), clusters[name]
    for group, other in (
        (base["headGroupSpec"], cluster["headGroupSpec"]),
        *zip(base["workerGroupSpecs"], cluster["workerGroupSpecs"], strict=True),
    ):
        [container], [patched] = (each["template"]["spec"]["containers"] for each in (group, other))
        kept = {key: value for key, value in container.items() if key != "env"}
        assert {key: value for key, value in patched.items() if key != "env"} == kept
        assert [each["name"] for each in patched["env"]] == [each["name"] for each in container["env"]]


def test_no_overlay_has_the_serve_config_because_the_controller_owns_it(environment):
    """Server-side apply leaves alone what it never had: manifests applied again do not touch live weights."""
    [service] = [document for document in environment if document["kind"] == "RayService"]
    assert "serveConfigV2" not in service["spec"]


def test_a_terminating_worker_has_time_to_drain(clusters):
    for cluster in clusters.values():
        for group in cluster["workerGroupSpecs"]:
            environment = workloads.environment_of(group["template"]["spec"]["containers"][0])
            draining = int(environment["RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S"])
            assert group["template"]["spec"]["terminationGracePeriodSeconds"] >= draining + 15
