"""Training as a job: ``python -m ray_apps.train --config training.yaml``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from deployments.contracts.errors import RaygateError
from deployments.runtime.model_store import ModelStore
from ray_apps.settings import Settings
from training import config as training_config
from training import run
from training.registry import Registry


def train(config_file: Path, settings: Settings, progress: Callable[[str], None]) -> list[run.Outcome]:
    """Train, or reuse, every version of a training document.

    Ray is joined or started only if there is something to search.

    Raises:
        RaygateError: The document is wrong, or a version cannot be packaged.
    """
    places = run.Places(
        store=ModelStore(settings.models),
        registry=Registry(settings.mlflow_uri, settings.mlflow_artifacts),
        connect=connect_to_ray,
    )
    return run.train(training_config.read(config_file), places, progress)


def connect_to_ray() -> None:
    """Join the cluster of ``RAY_ADDRESS`` if it is set, else start a small one in this process."""
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # Ray would turn token authentication on by itself
    import ray

    if ray.is_initialized():
        return
    if os.environ.get("RAY_ADDRESS"):
        ray.init(address="auto", log_to_driver=False, logging_level=logging.ERROR)
    else:
        ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status is 0 if every version is there and registered."""
    parser = argparse.ArgumentParser(description="Train the versions that a document names.")
    parser.add_argument("--config", type=Path, required=True, help="training document (YAML)")
    options = parser.parse_args(arguments)
    console = Console(stderr=True, highlight=False)
    begin = time.monotonic()

    def tell(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - begin:6.1f} s[/dim]  {escape(line)}", soft_wrap=True)

    try:
        train(options.config, Settings(), tell)
    except RaygateError as error:
        console.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
