"""The workflows name what is there, and hold what a release must not skip."""

import re
import subprocess

import pytest
import yaml


@pytest.fixture(scope="module")
def workflows(repository):
    return {
        path.stem: yaml.safe_load(path.read_text()) for path in (repository / ".github/workflows").glob("*.yaml")
    }


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job.get("steps", ())]


def test_every_action_has_a_version_and_every_workflow_few_rights(workflows):
    for name, workflow in workflows.items():
        assert workflow["permissions"] == {"contents": "read"}, name
        for step in steps(workflow):
            if "uses" in step:
                assert re.search(r"@v?\d", step["uses"]), step["uses"]


def test_programs_and_workflows_that_are_called_are_in_the_repository(repository, workflows):
    for workflow in workflows.values():
        for job in workflow["jobs"].values():
            if job.get("uses", "").startswith("./"):
                assert (repository / job["uses"]).is_file()
        for path in re.findall(
            r"(?<![\w/])((?:\.ci|\.github)/[\w-]+)", " ".join(s.get("run", "") for s in steps(workflow))
        ):
            assert (repository / path).stat().st_mode & 0o111, path


def test_production_waits_for_tests_training_scan_staging_and_a_person(workflows):
    jobs = workflows["release"]["jobs"]

    def before(name):
        needed = jobs[name].get("needs", [])
        direct = [needed] if isinstance(needed, str) else needed
        return set(direct).union(*(before(each) for each in direct))

    assert before("production") == {"test", "train", "image", "staging"}
    [deploy] = workflows["deploy"]["jobs"].values()
    # The approval is a rule of GitHub's environment of that name.
    assert deploy["environment"] == "${{ inputs.environment }}"
    image = [step.get("uses", "").split("@")[0] for step in jobs["image"]["steps"]]
    assert image.index("aquasecurity/trivy-action") < image.index("docker/login-action")


def test_no_expression_of_a_caller_is_pasted_into_a_script(workflows):
    for workflow in workflows.values():
        for step in steps(workflow):
            assert "${{" not in step.get("run", ""), step


def test_an_overlay_is_rendered_with_the_image_of_the_release(repository, kustomize):
    image = f"registry.example.com/raygate@sha256:{'0' * 64}"
    command = [repository / ".github/render-overlay", "kuberay", "prod", image]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    [service] = yaml.safe_load_all(done.stdout)
    cluster = service["spec"]["rayClusterConfig"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert [each["image"] for each in group["template"]["spec"]["containers"]] == [image]
    assert not list((repository / "kuberay/overlays").glob("release.*"))
