"""Commands on endpoints: apply, get, describe, traffic, switch, delete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.access.audit import Action
from deployments.contracts.errors import FieldProblem, InvalidDocument, InvalidVersion, UnknownEndpoint
from deployments.contracts.model_version import Version
from ray_apps.cli import audit, console, rollout_control
from ray_apps.local.lock import exclusive
from ray_apps.local.places import Places
from ray_apps.settings import Settings

if TYPE_CHECKING:
    from deployments.rollout.endpoint_store import WantedEndpoint

_TAKEN = "written; the controller puts it in force"
EndpointFile = Annotated[Path, typer.Option("-f", "--file", help="endpoint file (kind ModelEndpoint)")]


def apply(
    file: EndpointFile,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would change, and change nothing.")
    ] = False,
) -> None:
    """Serve what an endpoint file says; returns when it is in force."""
    from deployments.contracts.endpoint import ModelEndpoint
    from deployments.runtime import document as documents
    from ray_apps.cli import endpoint_report
    from ray_apps.control import LocalControl

    settings = rollout_control.here("apply")
    if dry_run:
        document = documents.read(file, ModelEndpoint)
        endpoint_report.show_difference(LocalControl(settings).difference(document, str(file)))
        return
    with _administered(settings, f"Serving {file}", Action.ENDPOINT_APPLIED, f"file/{file}") as progress:
        LocalControl(settings).apply(file, progress)


def get(
    endpoint: Annotated[str | None, typer.Argument(help="left out: a line for each", show_default=False)] = None,
) -> None:
    """List the endpoints, or print one as a file that `raygate apply` takes."""
    from ray_apps.cli import endpoint_report

    stores = _Stores(rollout_control.here("get"))
    if endpoint is None:
        endpoint_report.show_all(stores.endpoints.endpoints(), stores.rollouts.rollouts())
    else:
        typer.echo(endpoint_report.as_yaml(stores.one(endpoint)), nl=False)


def describe(endpoint: Annotated[str, typer.Argument(help="name of the endpoint, such as credit-risk")]) -> None:
    """Show what is wanted of an endpoint, its latest rollout and its last decisions."""
    from ray_apps.cli import endpoint_report

    stores = _Stores(rollout_control.here("describe"))
    latest = stores.rollouts.rollouts().get(endpoint)
    endpoint_report.show_one(stores.one(endpoint), latest, stores.endpoints.history(endpoint))


class _Stores:
    """The control database, for commands that read it only."""

    def __init__(self, settings: Settings) -> None:
        from deployments.rollout.endpoint_store import EndpointStore
        from deployments.rollout.sqlite_rollout_store import SqliteRolloutStore

        self.endpoints = EndpointStore(settings.control_database)
        self.rollouts = SqliteRolloutStore(settings.control_database)

    def one(self, name: str) -> WantedEndpoint:
        """What is wanted of one endpoint.

        Raises:
            UnknownEndpoint: Nothing of that name was applied.
        """
        known = self.endpoints.endpoints()
        if name not in known:
            raise UnknownEndpoint(name, tuple(known))
        return known[name]


def traffic(
    endpoint: Annotated[str, typer.Argument(help="name of the endpoint, such as credit-risk")],
    weights: Annotated[list[str], typer.Argument(help="VERSION=PERCENT, adding up to 100: 1.0.0=50 1.1.0=50")],
) -> None:
    """Change the traffic split; recorded, and in force when the command returns."""
    from ray_apps.control import LocalControl

    settings, wanted = Settings(), parse_weights(weights)
    title = f"{endpoint}: {', '.join(weights)}"
    if (remote := rollout_control.remote_of(settings)) is not None:
        with console.step(title) as progress:
            remote.set_traffic(endpoint, wanted)
            progress(_TAKEN)
        return
    with _administered(
        settings, title, Action.TRAFFIC_CHANGED, f"endpoint/{endpoint}", weights=weights
    ) as progress:
        LocalControl(settings).set_traffic(endpoint, wanted, progress)


def switch(
    endpoint: Annotated[str, typer.Argument(help="name of the endpoint, such as credit-risk")],
    version: Annotated[str | None, typer.Argument(help="the version that gets all traffic, such as 1.1.0")] = None,
    back: Annotated[bool, typer.Option("--back", help="back to the weights of before the last switch")] = False,
) -> None:
    """Send all traffic to one version at once, or back: blue/green."""
    from ray_apps.control import LocalControl

    if (version is None) != back:
        raise typer.BadParameter("name a version, or --back")
    settings, subject = Settings(), f"endpoint/{endpoint}"
    target = version or "back"
    title = f"{endpoint}: {target}"
    if (remote := rollout_control.remote_of(settings)) is not None:
        with console.step(title) as progress:
            weights = remote.switch(endpoint, None if version is None else Version.parse(version)).weights
            progress(f"{_shares(weights)}: {_TAKEN}")
        return
    with _administered(settings, title, Action.TRAFFIC_CHANGED, subject, switched_to=target) as progress:
        control = LocalControl(settings)
        if version is not None:
            control.switch(endpoint, Version.parse(version), progress)
        else:
            weights = control.switch_back(endpoint, progress)
            progress(_shares(weights))


def _shares(weights: Mapping[Version, float]) -> str:
    return ", ".join(f"{number}={weight:g}" for number, weight in weights.items())


def delete(endpoint: Annotated[str, typer.Argument(help="name of the endpoint, such as credit-risk")]) -> None:
    """Serve an endpoint no more; its model packages and its history stay."""
    from ray_apps.control import LocalControl

    settings = rollout_control.here("delete")
    subject = f"endpoint/{endpoint}"
    with _administered(settings, f"Deleting {endpoint}", Action.ENDPOINT_DELETED, subject) as progress:
        LocalControl(settings).delete(endpoint, progress)


@contextmanager
def _administered(
    settings: Settings, title: str, action: Action, subject: str, **detail: object
) -> Iterator[Callable[[str], None]]:
    """One administrative call, shown and audited.

    One at a time: each puts a config of everything, made from what it read at its beginning.
    """
    with (
        exclusive(Places(settings.state).lock_file, wait=True, gives_way=True),
        console.step(title) as progress,
        audit.recorded(settings, action, subject, detail),
    ):
        yield progress


def parse_weights(texts: list[str]) -> dict[Version, float]:
    """Read ``1.0.0=50``.

    Raises:
        InvalidDocument: A text is not a version and a percentage, a version stands twice, or the sum is not 100.
    """
    weights: dict[Version, float] = {}
    problems = []
    for text in texts:
        version, _, percent = text.partition("=")
        try:
            number, weight = Version.parse(version), float(percent)
        except (InvalidVersion, ValueError):
            problems.append(FieldProblem(text, "is not VERSION=PERCENT, such as 1.0.0=50"))
            continue
        if number in weights or not 0 <= weight <= 100:
            problems.append(
                FieldProblem(text, "stands twice" if number in weights else "is not between 0 and 100")
            )
        weights[number] = weight
    if not problems and abs(sum(weights.values()) - 100) > 1e-6:
        problems.append(FieldProblem("weights", f"add up to {sum(weights.values()):g}, not to 100"))
    if problems:
        raise InvalidDocument("traffic", tuple(problems))
    return weights
