import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENTS = ("dev", "staging", "prod")
JOBS = (
    "kuberay/jobs/training", "kuberay/jobs/retraining", "kuberay/jobs/batch-scoring", "kuberay/jobs/replay",
)  # fmt: skip
# Components are written for it; Debian's kubectl 1.20 has kustomize 2 inside.
KUSTOMIZE_MAJOR = 5
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@pytest.fixture(scope="session")
def repository():
    return REPOSITORY


@pytest.fixture(scope="session")
def kustomize(require_program):
    """Render a kustomization of the repository: ``kustomize("kuberay/base")`` gives its documents."""
    kubectl = require_program("kubectl", package="kubernetes-client")
    told = subprocess.run(
        [kubectl, "version", "--client"], capture_output=True, text=True, timeout=30, check=False
    )
    version = re.search(r"Kustomize Version: v(\d+)", told.stdout)
    if version is None or int(version[1]) < KUSTOMIZE_MAJOR:
        pytest.fail(f"{kubectl} has no kustomize {KUSTOMIZE_MAJOR} inside; take kubectl 1.27 or newer")

    @cache
    def render(folder):
        command = [kubectl, "kustomize", str(REPOSITORY / folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert "deprecated" not in done.stderr, done.stderr
        return tuple(yaml.load_all(done.stdout, Loader=_LOADER))

    return render


@pytest.fixture(scope="session")
def deployed(kustomize):
    """Everything that one environment's namespace gets: ``deployed("prod")``."""

    def documents(environment):
        folders = (
            f"k8s/tenant/overlays/{environment}",
            f"k8s/overlays/{environment}",
            f"kuberay/overlays/{environment}",
        )
        return [document for folder in (*folders, *JOBS) for document in kustomize(folder)]

    return documents


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def environment(request, deployed):
    """The documents of one environment, one environment after the other."""
    return deployed(request.param)
