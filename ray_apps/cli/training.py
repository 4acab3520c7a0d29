"""``raygate train`` and ``raygate package``: to a version that can be served, from data or from a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deployments.contracts.model_version import ModelVersion, Version, model_name
from deployments.contracts.package import RiskTier
from ray_apps.cli import console, training_report
from ray_apps.settings import Settings


def train(
    config: Annotated[Path, typer.Argument(help="Training document (YAML)", show_default=False)],
    check: Annotated[bool, typer.Option("--check", help="Read document and data, train nothing")] = False,
    cross_validate: Annotated[
        int, typer.Option(min=0, help="Judge all rows in 5 folds, so many times over; package nothing")
    ] = 0,
) -> None:
    """Train every version of a document that is not in the store yet, and register it in MLflow."""
    from ray_apps import train as job

    if check:
        with console.step(f"Checking {config}"):
            checked = job.check(config)
        training_report.show_checked(checked)
        return
    if cross_validate:
        with console.step(f"Judging {config}") as tell:
            judged = job.cross_validate(config, cross_validate, tell)
        training_report.show_judged(judged)
        return
    with console.step(f"Training {config}") as tell:
        outcomes = job.train(config, Settings(), tell)
    training_report.show_packages([outcome.package for outcome in outcomes])


def package(
    model: Annotated[str, typer.Option(help="Model file (.pkl .joblib .json .ubj .txt) or MLflow URI")],
    sample: Annotated[Path, typer.Option(help="Rows as the model takes them (.parquet or .csv)")],
    name: Annotated[str, typer.Option(help="Model name, such as churn")],
    version: Annotated[str, typer.Option(help="Version number, such as 1.0.0")],
    target: Annotated[str | None, typer.Option(help="Column of the sample that holds the truth")] = None,
    positive: Annotated[str | None, typer.Option(help="Of two labels, the one that the score is about")] = None,
    risk_tier: Annotated[RiskTier | None, typer.Option(help="How much harm a wrong answer may do")] = None,
    transformers: Annotated[
        Path | None, typer.Option(help="Python package of transformers that is shipped with the model")
    ] = None,
) -> None:
    """Make a model that exists into a version that can be served."""
    identity = ModelVersion(model_name(name), Version.parse(version))
    settings = Settings()
    with console.step(f"Packaging {identity}"):
        from ray_apps import train as job
        from training import run
        from training.bring_your_own import BroughtModel, package_model

        places = job.places_of(settings)
        brought = BroughtModel(model, sample, identity, target, positive, risk_tier, transformers)
        made = package_model(brought, places.store, places.signing_key)
        run.register(made, places.store, places.registry)
        job.describe(identity.model, places)
    training_report.show_packages([made])
