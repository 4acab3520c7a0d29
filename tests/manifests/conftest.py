import subprocess
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def repository():
    return REPOSITORY


@pytest.fixture(scope="session")
def kustomize(require_program):
    """Render a kustomization of the repository: ``kustomize("kuberay/base")`` gives its documents."""
    kubectl = require_program("kubectl", package="kubernetes-client")

    def render(folder):
        command = [kubectl, "kustomize", str(REPOSITORY / folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert "deprecated" not in done.stderr, done.stderr
        return list(yaml.safe_load_all(done.stdout))

    return render
