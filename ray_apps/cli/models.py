"""``raygate models``: which versions there are, and what is known of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from deployments.contracts.errors import PackageRejected, UnknownVersion
from deployments.contracts.model_version import model_name
from deployments.contracts.package import MANIFEST
from deployments.runtime import package
from deployments.runtime.model_store import ModelStore
from deployments.runtime.package import ModelPackage
from ray_apps.cli import console
from ray_apps.settings import Settings
from training.errors import RegistryUnavailable

if TYPE_CHECKING:
    from training.registry import Registered

app = typer.Typer(help="Versions in the model store.", no_args_is_help=True)

ModelName = Annotated[str, typer.Argument(help="Model name, such as credit_risk", show_default=False)]


@dataclass(frozen=True)
class _Known:
    """A version of the store and what the registry says of it."""

    package: ModelPackage
    registered: Registered | None

    @property
    def aliases(self) -> str:
        return ", ".join(self.registered.aliases) if self.registered else ""


@app.command("list")
def show_all(
    model: Annotated[str | None, typer.Argument(help="Only this model's versions", show_default=False)] = None,
) -> None:
    """List the versions of the store: how good, how fast, how readable, and which is the champion."""
    from training import comparison

    settings = Settings()
    store = ModelStore(settings.models)
    names = [model_name(model)] if model else store.models()
    name_column = Column("version", no_wrap=True)  # on a narrow terminal the others give way
    table = Table(name_column, "aliases", "family", "metrics", "one row", "path", "readable", "signed", "made")
    for name in names:
        for known in _versions(settings, store, name):
            metadata = known.package.metadata
            (compared,) = comparison.compare([known.package])
            figures = list(compared.metrics.items())[:3]
            table.add_row(
                f"{name} {metadata.version}",
                known.aliases,
                metadata.family,
                ", ".join(f"{metric} {figure.value:.3f}" for metric, figure in figures),
                comparison.milliseconds(compared.one_row_milliseconds),
                compared.path,
                compared.interpretability,
                _signature(settings, known.package),
                f"{metadata.created:%Y-%m-%d %H:%M}",
            )
    if not table.row_count:
        console.say(f"no version of {model or 'any model'} is in {store.root}")
        return
    console.out.print(table)


@app.command()
def show(
    model: ModelName,
    version: Annotated[str, typer.Argument(help="Its number, or an alias such as champion")] = "champion",
) -> None:
    """Show one version: metrics with intervals, documents, signature, lineage, aliases."""
    from ray_apps.cli import model_details

    settings = Settings()
    known = _find(settings, ModelStore(settings.models), model_name(model), version)
    model_details.show(known.package, known.registered, _signature(settings, known.package), settings)


def _find(settings: Settings, store: ModelStore, model: str, version: str) -> _Known:
    found = _versions(settings, store, model)
    for known in found:
        if version == str(known.package.metadata.version) or version in known.aliases.split(", "):
            return known
    names = [str(known.package.metadata.version) for known in found]
    names += [alias for known in found for alias in (known.registered.aliases if known.registered else ())]
    raise UnknownVersion(f"{model} {version}", tuple(names))


def _versions(settings: Settings, store: ModelStore, model: str) -> list[_Known]:
    """Every version of the store; what is broken, or does not answer, is told and left out."""
    from training.registry import Registry

    packages = []
    for version in store.versions(model):
        try:
            packages.append(package.load(store.find(model, version)))
        except PackageRejected as error:
            console.warn(str(error))
    registered: dict[str, Registered] = {}
    if packages:
        try:
            registered = Registry(settings.mlflow_uri, settings.mlflow_artifacts).versions(model)
        except RegistryUnavailable as error:
            console.warn(f"{error}; aliases are not shown")
    return [_Known(one, registered.get(one.digest)) for one in packages]


def _signature(settings: Settings, one: ModelPackage) -> str:
    """Who vouches for a package, in a few words."""
    from deployments.runtime.signing_keys import KeyDirectory

    trusted = KeyDirectory(settings.signing_keys).trusted()
    try:
        return f"by {trusted.check(one.directory, (one.directory / MANIFEST).read_bytes())}"
    except PackageRejected as error:
        return error.reason
