import copy
import os
from pathlib import Path

import kubernetes_validate
import pytest
import strict_schema
import yaml

REPOSITORY = Path(__file__).parents[2]
# Older than what is supported now, so that no field is needed that yesterday's clusters lack.
KUBERNETES = "1.31"
OF_CRDS = ("ray.io/", "monitoring.coreos.com/", "gateway.networking.k8s.io/")


def kustomizations():
    for file in sorted(REPOSITORY.glob("k*/**/kustomization.yaml")):
        if yaml.safe_load(file.read_text())["kind"] == "Kustomization":
            yield str(file.parent.relative_to(REPOSITORY))


def problems(document):
    if document["apiVersion"].startswith(OF_CRDS):
        return strict_schema.problems(document)
    if document["kind"] == "CustomResourceDefinition":
        return []  # test_model_endpoint_crd looks at it
    try:
        kubernetes_validate.validate(copy.deepcopy(document), KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    return []


@pytest.mark.parametrize("folder", kustomizations())
def test_every_rendered_document_is_valid_to_the_last_field(kustomize, folder):
    documents = kustomize(folder)
    assert documents
    found = {f"{each['kind']}/{each['metadata']['name']}": problems(each) for each in documents}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        pytest.param("CronJob", lambda spec: spec.update(startingDeadlineSecond=1), id="misspelt"),
        pytest.param("Deployment", lambda spec: spec.update(replicas="2"), id="text-for-a-number"),
        pytest.param("PodMonitor", lambda spec: spec["podMetricsEndpoints"][0].update(ports="x"), id="of-a-crd"),
    ],
)
def test_a_wrong_field_is_seen(deployed, kind, spoil):
    document = copy.deepcopy(next(each for each in deployed("prod") if each["kind"] == kind))
    spoil(document["spec"])
    assert problems(document)


def test_one_resource_stands_in_one_file():
    for file in (path for folder in ("k8s", "kuberay") for path in (REPOSITORY / folder).rglob("*.yaml")):
        assert len(list(yaml.safe_load_all(file.read_text()))) == 1, file


def test_every_component_is_used_or_can_be(kustomize, tmp_path):
    """A component that no overlay has is rendered on the base, so that it cannot rot."""
    used = {
        (file.parent / component).resolve()
        for file in REPOSITORY.glob("k*/**/kustomization.yaml")
        for component in yaml.safe_load(file.read_text()).get("components", ())
    }
    spare = {path.parent for path in REPOSITORY.glob("k*/components/*/kustomization.yaml")} - used
    assert {path.name for path in spare} == {"gpu-workers", "incremental-upgrade"}
    for component in spare:
        folder = tmp_path / component.name
        folder.mkdir()
        relative = os.path.relpath(REPOSITORY / "kuberay", folder)
        lines = [
            "kind: Kustomization",
            f"resources: [{relative}/base]",
            f"components: [{relative}/components/{component.name}]",
        ]
        (folder / "kustomization.yaml").write_text("\n".join(lines))
        [service] = kustomize(folder)
        assert problems(service) == []
