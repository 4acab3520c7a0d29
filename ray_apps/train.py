"""Training as a job: ``python -m ray_apps.train --config training.yaml``."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from deployments.contracts.errors import PackageRejected, RaygateError
from deployments.runtime import package
from deployments.runtime.model_store import ModelStore
from deployments.runtime.signature import SigningKey
from deployments.runtime.signing_keys import KeyDirectory
from ray_apps import ray_connection
from ray_apps.cli import training_report
from ray_apps.job_log import JobLog
from ray_apps.settings import Settings
from training import config as training_config
from training import run
from training.places import Places
from training.registry import Registry

if TYPE_CHECKING:
    from training.check import Checked
    from training.cross_validation import Judged

FOLDS = 5


def train(config_file: Path, settings: Settings, progress: Callable[[str], None]) -> list[run.Outcome]:
    """Train, or reuse, every version of a training document.

    Ray is joined or started only if there is something to search, or rows for several machines.

    Raises:
        RaygateError: The document is wrong, or a version cannot be packaged.
    """
    places = places_of(settings)
    config = training_config.read(config_file)
    outcomes = run.train(config, places, progress)
    if not all(outcome.reused for outcome in outcomes):
        describe(config.model, places)
    return outcomes


def places_of(settings: Settings) -> Places:
    """Where runs of this state directory put things.

    Raises:
        KeyUnusable: There is a key that signs packages, but it cannot be used.
    """
    return Places(
        store=ModelStore(settings.models, settings.signers),
        registry=Registry(settings.mlflow_uri, settings.mlflow_artifacts),
        searches=settings.state / "searches",
        connect=ray_connection.connect,
        signing_key=signing_key(settings),
    )


def describe(model: str, places: Places) -> None:
    """Put all versions of a model side by side where people look them up, if there are several."""
    from training import comparison

    versions = places.store.versions(model)
    if len(versions) > 1:
        packages = []
        for version in versions:
            with contextlib.suppress(PackageRejected):  # it has no row; `raygate models list` says what is wrong
                packages.append(package.load(places.store.find(model, version)))
        places.registry.describe(model, comparison.markdown(comparison.compare(packages)))


def signing_key(settings: Settings) -> SigningKey:
    """The key that signs packages; on first use it is made.

    Raises:
        KeyUnusable: There is one, but it cannot be used.
    """
    keys = KeyDirectory(settings.signing_keys)
    if keys.active_id() is None:
        keys.create()
    key = keys.active()
    assert key is not None
    return key


def check(config_file: Path) -> Checked:
    """Read a training document and its data, and say what would be trained; nothing is.

    Raises:
        RaygateError: What would stop the run before it trains.
    """
    from training import check as checking

    config = training_config.read(config_file)
    if config.distributed:
        ray_connection.connect()
    return checking.check(config)


def cross_validate(config_file: Path, repeats: int, progress: Callable[[str], None]) -> tuple[Judged, ...]:
    """Judge the versions of a training document over all its rows in turn; nothing is packaged.

    Raises:
        RaygateError: The document or its data are wrong.
    """
    from training import cross_validation

    config = training_config.read(config_file)
    return cross_validation.judge(config, cross_validation.read(config), FOLDS, repeats, progress)


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status is 0 if every version is there and registered."""
    parser = argparse.ArgumentParser(description="Train the versions that a document names.")
    parser.add_argument("--config", type=Path, required=True, help="training document (YAML)")
    parser.add_argument("--check", action="store_true", help="read document and data, train nothing")
    options = parser.parse_args(arguments)
    settings = Settings()
    log = JobLog("training", settings.log_level)
    try:
        if options.check:
            log.tell(f"{options.config} fits its data: {sum(check(options.config).rows)} rows")
        else:
            made = [outcome.package for outcome in train(options.config, settings, log.tell)]
            training_report.show_packages(made)
    except RaygateError as error:
        log.fail(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
