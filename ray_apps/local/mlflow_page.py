"""MLflow's web page as a process of our own, while its store is a file of ours."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil

from ray_apps.local.places import Places
from ray_apps.local.processes import start_child
from ray_apps.local.ray_cluster import program
from ray_apps.local.ray_environment import stack_environment
from ray_apps.settings import Settings

# It is looked at now and then; predictions come first.
_NICENESS = 10


def has_own_page(settings: Settings) -> bool:
    """Whether the page is ours to start: a tracking URI over HTTP is a server that has a page itself."""
    return not settings.mlflow_uri.startswith(("http://", "https://", "databricks"))


def page_url(settings: Settings) -> str:
    """Where a person finds the runs and registered models."""
    return f"http://127.0.0.1:{settings.mlflow_port}" if has_own_page(settings) else settings.mlflow_uri


def store_exists(settings: Settings) -> bool:
    """Whether the store's tables may be there already.

    Server and training both make the tables of a new SQLite file; whoever is second fails.
    """
    scheme, _, path = settings.mlflow_uri.partition(":///")
    return scheme != "sqlite" or Path(path).exists()


def mlflow_command(settings: Settings) -> list[str]:
    """The command that starts the page."""
    return [
        program("mlflow"),
        "server",
        f"--backend-store-uri={settings.mlflow_uri}",
        f"--default-artifact-root={settings.mlflow_artifacts}",
        # Artifacts are plain local paths, which the page reads itself.
        "--no-serve-artifacts",
        "--host=127.0.0.1",
        f"--port={settings.mlflow_port}",
        "--workers=1",
    ]


def start_mlflow(settings: Settings) -> subprocess.Popen[bytes]:
    """Start the page and return at once; it needs some seconds, which nobody waits for."""
    environment = {
        **stack_environment(settings),
        # Background jobs are for GenAI evaluation: a second process tree that nothing here uses.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    child = start_child(mlflow_command(settings), environment, Places(settings.state).log("mlflow"))
    psutil.Process(child.pid).nice(_NICENESS)
    return child
