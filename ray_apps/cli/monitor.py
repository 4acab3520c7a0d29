"""Commands on what monitoring sees: ``raygate monitor report``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from deployments.contracts.errors import UnknownEndpoint
from deployments.contracts.model_version import ModelVersion, Version
from ray_apps.cli import console
from ray_apps.settings import Settings

app = typer.Typer(help="What monitoring sees of live traffic.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep ``report`` a command of its own."""


@app.command()
def report(
    endpoint: Annotated[str, typer.Argument(help="name of the endpoint")],
    version: Annotated[
        str | None, typer.Option(help="version that answered; default: stable", show_default=False)
    ] = None,
    hours: Annotated[float, typer.Option(min=0.001, help="how far to look back")] = 24.0,
    output: Annotated[Path, typer.Option(help="where the page is written")] = Path("report.html"),
) -> None:
    """Write a page on a version: traffic, latency, quality, and how its rows differ from training's."""
    settings = Settings()
    name = _served(settings, endpoint, version)
    with console.step(f"comparing the last {hours:g} hours of {name} with its training rows"):
        write(settings, name, datetime.now(UTC) - timedelta(hours=hours), hours, output)
    console.say(str(output))


def write(settings: Settings, name: ModelVersion, since: datetime, hours: float, output: Path) -> None:
    """Write the page; what was there stays until the new one is whole.

    Raises:
        NothingLogged: No row was answered since then.
        PackageNotFound: The model store does not hold the version.
    """
    from deployments.runtime.model_store import ModelStore
    from ray_apps import version_report

    described = ModelStore(settings.models, settings.signers).load(name.model, name.version)
    limits = settings.monitoring_config.limits()
    text = version_report.page(settings.prediction_log, described, since, hours, limits)
    aside = output.with_name(f".{output.name}.part")
    aside.write_text(text, encoding="utf-8")
    aside.replace(output)


def _served(settings: Settings, endpoint: str, version: str | None) -> ModelVersion:
    from deployments.rollout.endpoint_store import EndpointStore

    wanted = EndpointStore(settings.state / "endpoints.db").endpoints()
    if endpoint not in wanted:
        raise UnknownEndpoint(endpoint, tuple(wanted))
    spec = wanted[endpoint].document.spec
    return ModelVersion(spec.model, spec.stable if version is None else Version.parse(version))
