"""``raygate train`` and ``raygate package``: to a version that can be served, from data or from a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from deployments.contracts.model_version import ModelVersion, Version, model_name
from deployments.runtime.model_store import ModelStore
from deployments.runtime.package import ModelPackage
from ray_apps.cli import console
from ray_apps.settings import Settings

SHOWN = ("roc_auc", "brier", "r2", "mae")
"""Metrics of the table; all of them are in the package and in MLflow."""


def train(
    config: Annotated[Path, typer.Argument(help="Training document (YAML)", show_default=False)],
) -> None:
    """Train every version of a document that is not in the store yet, and register it in MLflow."""
    from ray_apps import train as job

    with console.step(f"Training {config}") as tell:
        outcomes = job.train(config, Settings(), tell)
    _show([outcome.package for outcome in outcomes])


def package(
    model: Annotated[str, typer.Option(help="Model file (.pkl .joblib .json .ubj .txt) or MLflow URI")],
    sample: Annotated[Path, typer.Option(help="Rows as the model takes them (.parquet or .csv)")],
    name: Annotated[str, typer.Option(help="Model name, such as churn")],
    version: Annotated[str, typer.Option(help="Version number, such as 1.0.0")],
    target: Annotated[str | None, typer.Option(help="Column of the sample that holds the truth")] = None,
    positive: Annotated[str | None, typer.Option(help="Of two labels, the one that the score is about")] = None,
) -> None:
    """Make a model that exists into a version that can be served."""
    identity = ModelVersion(model_name(name), Version.parse(version))
    settings = Settings()
    with console.step(f"Packaging {identity}"):
        from training import run
        from training.bring_your_own import BroughtModel, package_model
        from training.registry import Registry

        store = ModelStore(settings.models)
        made = package_model(BroughtModel(model, sample, identity, target, positive), store)
        run.register(made, store, Registry(settings.mlflow_uri, settings.mlflow_artifacts))
    _show([made])


def _show(packages: list[ModelPackage]) -> None:
    table = Table("version", "family", "path", "parity", "metrics", "digest")
    for one in packages:
        metadata = one.metadata
        difference = metadata.parity.max_difference
        table.add_row(
            f"{metadata.model} {metadata.version}",
            metadata.family,
            metadata.path.value,
            "" if difference is None else f"{difference:.1e}",
            ", ".join(
                f"{metric} {metadata.metrics[metric]:.3f}" for metric in SHOWN if metric in metadata.metrics
            ),
            one.digest[:12],
        )
    console.out.print(table)
    for one in packages:
        if one.metadata.parity.reason:
            console.say(
                f"{one.metadata.model} {one.metadata.version} is not compiled: {one.metadata.parity.reason}"
            )
