import fnmatch
import re
import tomllib

import pytest
import yaml

from training.code_version import VARIABLE


@pytest.fixture(scope="module")
def dockerfile(repository):
    return (repository / "Dockerfile").read_text()


def copied(dockerfile):
    """Sources that come from the checkout."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def test_what_the_image_copies_is_in_the_checkout_and_reaches_the_build(repository, dockerfile):
    allowed = [
        line[1:] for line in (repository / ".dockerignore").read_text().splitlines() if line.startswith("!")
    ]
    assert copied(dockerfile)
    for source in copied(dockerfile):
        assert (repository / source).exists(), source
        assert any(fnmatch.fnmatch(source, pattern) for pattern in allowed), (
            f"{source} is ignored by .dockerignore"
        )


def test_the_image_holds_every_package_of_the_wheel(repository, dockerfile):
    project = tomllib.loads((repository / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(wheel["packages"]) <= set(copied(dockerfile))


def test_the_image_has_the_python_that_the_project_asks_for(repository, dockerfile):
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    [image] = re.findall(r"^ARG PYTHON_IMAGE=python:(\S+)$", dockerfile, re.MULTILINE)
    major, minor, _ = image.split("-")[0].split(".")
    assert project["requires-python"] == f">={major}.{minor},<{major}.{int(minor) + 1}"


def test_image_manifest_and_lock_agree_on_versions(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    service = yaml.safe_load((repository / "kuberay/base/rayservice.yaml").read_text())
    cluster = service["spec"]["rayClusterConfig"]
    [ray] = re.findall(r"^ray(?:\[.*\])?==(\S+)", (repository / "requirements.lock").read_text(), re.MULTILINE)
    assert cluster["rayVersion"] == ray
    [head] = cluster["headGroupSpec"]["template"]["spec"]["containers"]
    assert head["image"] == f"raygate/raygate:{project['version']}"


def test_the_image_runs_as_the_user_of_the_manifest(repository, dockerfile):
    service = yaml.safe_load((repository / "kuberay/base/rayservice.yaml").read_text())
    pod = service["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]
    user = re.findall(r"^USER (\d+):(\d+)$", dockerfile, re.MULTILINE)
    assert user == [(str(pod["securityContext"]["runAsUser"]), str(pod["securityContext"]["runAsGroup"]))]


def test_the_image_and_its_release_say_which_commit_it_was_built_from(repository, dockerfile):
    final = dockerfile.rpartition("\nFROM ")[2]
    assert f'ARG {VARIABLE}=""\nENV {VARIABLE}=${VARIABLE}\n' in final
    release = yaml.safe_load((repository / ".github/workflows/release.yaml").read_text())
    steps = [step for job in release["jobs"].values() for step in job.get("steps", ())]
    builds = [step["with"] for step in steps if step.get("uses", "").startswith("docker/build-push-action")]
    assert builds
    assert all(build["build-args"] == f"{VARIABLE}=${{{{ github.sha }}}}" for build in builds)


@pytest.mark.parametrize("package", ["wget", "libgomp1"])
def test_the_image_has_what_probes_and_models_need(dockerfile, package):
    assert re.search(rf"apt-get install .*\b{package}\b", dockerfile)


def test_tools_of_the_build_are_those_of_the_makefile(repository, dockerfile):
    [makefile] = re.findall(r"^UV_VERSION := (\S+)$", (repository / "Makefile").read_text(), re.MULTILINE)
    assert f"uv=={makefile} " in dockerfile
    backend = tomllib.loads((repository / "pyproject.toml").read_text())["build-system"]["requires"]
    assert f"{backend[0]} " in dockerfile
