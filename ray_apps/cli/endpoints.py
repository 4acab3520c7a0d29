"""Commands on endpoints: apply, traffic, render."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from deployments.contracts.errors import FieldProblem, InvalidDocument, InvalidVersion
from deployments.contracts.model_version import Version
from ray_apps.cli import console
from ray_apps.local.lock import exclusive
from ray_apps.local.places import Places
from ray_apps.settings import Settings

EndpointFile = Annotated[Path, typer.Option("-f", "--file", help="endpoint file (kind ModelEndpoint)")]


def apply(file: EndpointFile) -> None:
    """Serve what an endpoint file says; returns when it is in force."""
    from ray_apps.control import LocalControl

    settings = Settings()
    with _alone(settings), console.step(f"Serving {file}") as progress:
        LocalControl(settings).apply(file, progress)


def traffic(
    endpoint: Annotated[str, typer.Argument(help="name of the endpoint, such as credit-risk")],
    weights: Annotated[list[str], typer.Argument(help="VERSION=PERCENT, adding up to 100: 1.0.0=50 1.1.0=50")],
) -> None:
    """Change the traffic split; recorded, and in force when the command returns."""
    from ray_apps.control import LocalControl

    settings, wanted = Settings(), parse_weights(weights)
    with _alone(settings), console.step(f"{endpoint}: {', '.join(weights)}") as progress:
        LocalControl(settings).set_traffic(endpoint, wanted, progress)


def delete(endpoint: Annotated[str, typer.Argument(help="name of the endpoint, such as credit-risk")]) -> None:
    """Serve an endpoint no more; its model packages and its history stay."""
    from ray_apps.control import LocalControl

    settings = Settings()
    with _alone(settings), console.step(f"Deleting {endpoint}") as progress:
        LocalControl(settings).delete(endpoint, progress)


def _alone(settings: Settings) -> AbstractContextManager[None]:
    """One command at a time: each puts a config of everything, made from what it read at its beginning."""
    return exclusive(Places(settings.state).lock_file, wait=True)


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
