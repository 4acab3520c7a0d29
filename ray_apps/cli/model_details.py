"""What ``raygate models show`` shows of one version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from deployments.runtime.package import ModelPackage
from ray_apps.cli import console
from ray_apps.settings import Settings

if TYPE_CHECKING:
    from training.registry import Registered


def show(package: ModelPackage, registered: Registered | None, signature: str, settings: Settings) -> None:
    """Print everything that a person asks of a version, with links to the rest.

    Args:
        package: The version.
        registered: What the registry has of it; None if it is not registered, or nobody could say.
        signature: Who vouches for it.
        settings: Say where MLflow's pages are.
    """
    metadata = package.metadata
    console.say(f"{metadata.model} {metadata.version}")
    table = Table(show_header=False)
    facts = {
        "aliases": ", ".join(registered.aliases) if registered else "",
        "family": metadata.family,
        "task": metadata.task.value + (f" of {', '.join(metadata.class_texts)}" if metadata.classes else ""),
        "risk tier": metadata.risk_tier.value if metadata.risk_tier else "not stated",
        "served by": f"the {metadata.path.value} path"
        + (f"; {metadata.parity.reason}" if metadata.parity.reason else ""),
        "hyperparameters": ", ".join(f"{name} {value}" for name, value in metadata.parameters.items()),
        "signed": signature,
        "digest": package.digest,
        "data": ", ".join(filter(None, (metadata.data_version, metadata.data_fingerprint))),
        "code": metadata.code_version,
        "made from": _origin(package),
        "made": f"{metadata.created:%Y-%m-%d %H:%M:%S} UTC",
        "registry": _registry(package, registered, settings),
    }
    for name, fact in facts.items():
        if fact:
            table.add_row(name, escape(fact))
    console.out.print(table)
    _show_metrics(package)
    _show_documents(package)


def _origin(package: ModelPackage) -> str:
    """The hash of the recipe, as the registry's tag ``raygate.config`` has it."""
    from training import lineage

    return lineage.tags(package).get(lineage.CONFIG_TAG, "")


def _registry(package: ModelPackage, registered: Registered | None, settings: Settings) -> str:
    from ray_apps.local import mlflow_page

    if registered is None:
        return "not registered"
    page = f"{mlflow_page.page_url(settings)}/#/models/{package.metadata.model}/versions/{registered.number}"
    return f"version {registered.number}, run {registered.run}, {page}"


def _show_metrics(package: ModelPackage) -> None:
    from training import comparison, evaluation_report

    report = evaluation_report.read(package)
    if report is None:
        console.say("nobody judged it: it was packaged without labelled rows")
        return
    table = Table(f"metric on {report.rows} test rows", "value", "95 % interval")
    for name, figure in report.metrics.items():
        table.add_row(name, f"{figure.value:.4g}", f"{figure.low:.4g} to {figure.high:.4g}")
    table.add_row("one row", comparison.milliseconds(report.one_row_milliseconds), "")
    console.out.print(table)


def _show_documents(package: ModelPackage) -> None:
    documents = sorted(name for name in package.manifest.files if name.endswith((".md", ".html")))
    for name in documents:
        address = (package.directory / name).absolute().as_uri()
        console.out.print(f"  [link={address}]{escape(name)}[/]  [dim]{escape(address)}[/]", soft_wrap=True)
