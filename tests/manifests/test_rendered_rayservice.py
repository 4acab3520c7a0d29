"""``raygate render``: the complete RayService, made by the code that configures the laptop."""

import re

import pytest
import yaml
from ray.serve.schema import ServeDeploySchema
from strict_schema import problems
from typer.testing import CliRunner

from ray_apps.cli.commands import app

ENDPOINT = "examples/credit-risk/endpoint.yaml"


@pytest.fixture
def store(tmp_path, monkeypatch, repository):
    """A model store with the example's versions: rendering needs their manifests and schemas alone."""
    for version in ("1.0.0", "1.1.0"):
        directory = tmp_path / "models" / "credit_risk" / f"v{version}"
        directory.mkdir(parents=True)
        (directory / "manifest.json").write_text(version)
        (directory / "feature_schema.json").write_text('{"features": [{"name": "Age", "kind": "number"}]}')
    monkeypatch.setenv("MODEL_PATH", str(tmp_path / "models"))
    monkeypatch.setenv("RAYGATE_STATE_DIRECTORY", str(tmp_path))
    monkeypatch.chdir(repository)
    return tmp_path / "models"


def rendered(*arguments):
    done = CliRunner().invoke(app, ["render", "-f", ENDPOINT, *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return yaml.safe_load(done.stdout)


def test_the_rendered_rayservice_is_valid_for_kuberay_to_the_last_field(store):
    assert problems(rendered()) == []


def test_it_is_the_manifest_of_the_repository_with_the_serve_config_filled_in(store, kustomize):
    document = rendered()
    (base,) = [found for found in kustomize("kuberay/base") if found["kind"] == "RayService"]
    text = document["spec"].pop("serveConfigV2")
    assert document["spec"] == base["spec"]
    ServeDeploySchema.model_validate(yaml.safe_load(text))


def test_pools_load_the_packages_that_were_rendered_from_where_the_pods_see_them(store):
    config = yaml.safe_load(rendered("--models", "/srv/models")["spec"]["serveConfigV2"])
    pools = {found["name"]: found for found in config["applications"] if found["name"].startswith("credit_risk")}
    assert sorted(pools) == ["credit_risk_v1.0.0", "credit_risk_v1.1.0"]
    assert pools["credit_risk_v1.1.0"]["args"]["package_directory"] == "/srv/models/credit_risk/v1.1.0"
    assert len({pool["args"]["digest"] for pool in pools.values()}) == 2


def test_pools_ask_for_signatures_where_the_pods_see_the_keys(store):
    args = ("--target", "serve", "--trusted-keys", "file:/etc/raygate/trusted-keys")
    pools = [found for found in rendered(*args)["applications"] if found["name"].startswith("credit_risk")]
    assert {pool["args"]["trusted_keys"] for pool in pools} == {"file:/etc/raygate/trusted-keys"}


def test_the_serve_config_alone_is_what_the_rayservice_carries(store):
    assert rendered("--target", "serve") == yaml.safe_load(rendered()["spec"]["serveConfigV2"])


def test_every_secret_that_an_application_names_is_in_the_pods(store):
    document = rendered()
    named = set(re.findall(r"\benv:([A-Za-z_][A-Za-z0-9_]*)", document["spec"]["serveConfigV2"]))
    assert named == {"RAYGATE_ACCESS_STORE", "RAYGATE_LOG_KEYS"}
    cluster = document["spec"]["rayClusterConfig"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        for container in group["template"]["spec"]["containers"]:
            secret = {entry["name"] for entry in container["env"] if "secretKeyRef" in entry.get("valueFrom", {})}
            assert named <= secret


def test_an_overlay_is_completed_and_its_gateways_write_the_prediction_log(store, kustomize, tmp_path):
    overlay = tmp_path / "prod.yaml"
    overlay.write_text(yaml.safe_dump_all(kustomize("kuberay/overlays/prod")))
    document = rendered("--base", str(overlay), "--log-uri", "s3://raygate-prod/prediction-log")
    assert problems(document) == []
    assert document["metadata"]["namespace"] == "raygate-prod"
    applications = yaml.safe_load(document["spec"]["serveConfigV2"])["applications"]
    [gateway] = [found for found in applications if found["name"] == "raygate-gateway"]
    assert gateway["args"]["request_log"] == "s3://raygate-prod/prediction-log"


def test_manifests_without_a_rayservice_are_told_so(store):
    from deployments.contracts.errors import InvalidDocument

    with pytest.raises(InvalidDocument, match="must hold one RayService, not none"):
        rendered("--base", "k8s/base/models/persistentvolumeclaim.yaml")


def test_a_version_that_was_never_packaged_is_named(store):
    (store / "credit_risk" / "v1.1.0" / "manifest.json").unlink()
    from deployments.contracts.errors import InvalidDocument

    with pytest.raises(InvalidDocument, match=r"credit_risk 1\.1\.0 is not in the model store"):
        rendered()


def test_every_volume_that_is_mounted_is_declared_and_holds_the_models(store):
    (group,) = rendered()["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    pod = group["template"]["spec"]
    mounted = {
        mount["name"]: mount["mountPath"] for container in pod["containers"] for mount in container["volumeMounts"]
    }
    assert mounted == {"models": "/models", "trusted-keys": "/etc/raygate/trusted-keys"}
    assert [volume["name"] for volume in pod["volumes"]] == ["models", "trusted-keys"]
