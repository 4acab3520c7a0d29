"""``raygate rollout``: a new version earns its traffic, here or where ``RAYGATE_CONTROLLER`` is."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer
from rich.live import Live

from deployments.contracts.model_version import Version
from ray_apps.cli import console, rollout_control, rollout_report
from ray_apps.settings import Settings

app = typer.Typer(help="A new version earns its traffic, step by step.", no_args_is_help=True)
Endpoint = Annotated[str, typer.Argument(help="name of the endpoint, such as credit-risk")]
_WATCH_SECONDS = 1.0


@app.command()
def start(
    endpoint: Endpoint,
    version: Annotated[
        str | None, typer.Option("--version", help="the candidate; left out: the only version beside stable")
    ] = None,
) -> None:
    """Begin a rollout by the plan of the endpoint's file (spec.rollout)."""
    begun = _control().start(endpoint, None if version is None else Version.parse(version))
    console.say(
        f"{begun.rollout}: {begun.stable} -> {begun.candidate}; `raygate rollout status {endpoint} --watch`"
    )


@app.command()
def status(
    endpoint: Endpoint,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and follow it until it ends.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show the latest rollout: step, weights, checks with their evidence."""
    from deployments.rollout.status import is_over

    control = _control()
    latest = control.latest(endpoint)
    if as_json:
        console.out.print_json(latest.model_dump_json())
        return

    def page() -> rollout_report.Page:
        return rollout_report.page(latest, control.observed(endpoint))

    if not watch:
        console.out.print(page())
        return
    with Live(page(), console=console.out, auto_refresh=False) as live:
        while not is_over(latest):
            time.sleep(_WATCH_SECONDS)
            latest = control.latest(endpoint)
            live.update(page(), refresh=True)


@app.command()
def pause(endpoint: Endpoint) -> None:
    """Stay at the weights of now; the candidate is still judged, and withdrawn if it fails."""
    _tell(endpoint, "pause")


@app.command()
def resume(endpoint: Endpoint) -> None:
    """Go on after a pause."""
    _tell(endpoint, "resume")


@app.command()
def approve(endpoint: Endpoint) -> None:
    """Pass the step that waits for an approval."""
    _tell(endpoint, "approve")


@app.command()
def promote(endpoint: Endpoint) -> None:
    """All traffic to the candidate now, which is stable from then on."""
    _tell(endpoint, "promote")


@app.command()
def abort(endpoint: Endpoint) -> None:
    """All traffic to stable, and the end of the rollout."""
    _tell(endpoint, "abort")


@app.command()
def rollback(endpoint: Endpoint) -> None:
    """All traffic back to the version that was stable, after a promotion too."""
    _tell(endpoint, "rollback")


@app.command()
def history(
    endpoint: Endpoint,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with the evidence, for scripts.")] = False,
) -> None:
    """Show every decision on an endpoint, the oldest first."""
    decisions = _control().history(endpoint)
    if as_json:
        plain = [{"at": made.at.isoformat(), "action": made.action, **made.detail} for made in decisions]
        console.out.print_json(json.dumps(plain))
        return
    console.out.print(rollout_report.history(decisions))


def _tell(endpoint: str, text: str) -> None:
    from deployments.rollout.commands import Command

    told = _control().obey(endpoint, Command(text))
    console.say(f"{told.rollout}: {told.phase}, {told.candidate} is to have {told.weight:g} %")


def _control() -> rollout_control.RolloutControl:
    return rollout_control.of(Settings())
