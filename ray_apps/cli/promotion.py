"""``raygate smoke`` and ``raygate promote``: from one environment to the next."""

from __future__ import annotations

from typing import Annotated

import typer

from deployments.contracts.errors import UnknownEndpoint
from deployments.contracts.model_version import ModelVersion, Version
from ray_apps.cli import console, rollout_control
from ray_apps.settings import Settings

Endpoint = Annotated[str, typer.Argument(help="name of the endpoint, such as credit-risk")]
ServedVersion = Annotated[str, typer.Option("--version", help="of the endpoint, such as 1.1.0")]


def smoke(endpoint: Endpoint, version: ServedVersion) -> None:
    """Send a version the rows of its package, and compare with what the package's own model says."""
    _smoke(rollout_control.here("smoke"), endpoint, Version.parse(version))


def promote(
    endpoint: Endpoint,
    version: ServedVersion,
    to: Annotated[str, typer.Option(help="name of the environment, as RAYGATE_ENVIRONMENTS has it")],
) -> None:
    """Begin a version's rollout in another environment, by the plan there, if it passes its smoke tests here."""
    from ray_apps.promotion import TargetEnvironment, UnknownEnvironment

    settings, number = rollout_control.here("promote"), Version.parse(version)
    if to not in settings.environments:
        raise UnknownEnvironment(to, tuple(settings.environments))
    _smoke(settings, endpoint, number)
    with console.step(f"{to}: {endpoint} {number}"):
        begun = TargetEnvironment(to, settings.environments[to]).promote(endpoint, number)
    console.say(f"{begun} has begun in {to}")


def _smoke(settings: Settings, endpoint: str, version: Version) -> None:
    from deployments.rollout.endpoint_store import EndpointStore
    from ray_apps import smoke_tests

    known = EndpointStore(settings.control_database).endpoints()
    if endpoint not in known:
        raise UnknownEndpoint(endpoint, tuple(known))
    with console.step(f"Smoke tests of {endpoint} {version}") as tell:
        passed = smoke_tests.run(settings, endpoint, ModelVersion(known[endpoint].policy.model, version))
        tell(f"{passed} passed")
