"""``raygate retrain``: models that are trained anew when live rows say that they have aged."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.access.audit import Action
from ray_apps.cli import audit, console, person, retraining_report
from ray_apps.settings import Settings

if TYPE_CHECKING:
    from ray_apps.retraining.journal import Journal
    from ray_apps.retraining.watch import Watch

app = typer.Typer(help="Train a model anew when it has aged, and offer what is better.", no_args_is_help=True)
Endpoint = Annotated[str, typer.Argument(help="name of the endpoint, such as credit-risk")]
Wait = Annotated[bool, typer.Option("--wait", help="until the run has a result; exit code 1 if it failed")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
_POLL_SECONDS = 1.0


@app.command()
def apply(file: Annotated[Path, typer.Option("-f", "--file", help="retraining document (YAML)")]) -> None:
    """Put a plan in force: from now on the endpoint is watched."""
    from deployments.runtime.model_store import ModelStore
    from ray_apps.retraining import planning
    from ray_apps.retraining.local import serving_of

    settings = Settings()
    wanted = planning.read(file, serving_of(settings), ModelStore(settings.models), datetime.now(UTC))
    endpoint = wanted.plan.endpoint
    with audit.recorded(settings, Action.RETRAINING_PLANNED, f"endpoint/{endpoint}"):
        _journal(settings).apply(wanted)
    console.say(f"{endpoint} is watched; `raygate retrain status {endpoint}`")


@app.command()
def status(endpoint: Endpoint, as_json: AsJson = False) -> None:
    """Show the plan, what the latest windows said, and the latest run."""
    journal = _journal(Settings())
    applied, windows, runs = journal.plan(endpoint), journal.windows(endpoint), journal.runs(endpoint)
    if as_json:
        document = {
            "plan": applied.plan.model_dump(mode="json", by_alias=True),
            "applied": applied.applied.isoformat(),
            "windows": [window.model_dump(mode="json") for window in windows],
            "run": runs[-1].model_dump(mode="json") if runs else None,
        }
        console.out.print_json(json.dumps(document))
        return
    console.out.print(retraining_report.status(applied, windows, runs))


@app.command()
def history(endpoint: Endpoint, as_json: AsJson = False) -> None:
    """Show every run: what began it, what was found, and on which numbers."""
    runs = _journal(Settings()).runs(endpoint)
    if as_json:
        console.out.print_json(json.dumps([run.model_dump(mode="json") for run in runs]))
        return
    if not runs:
        console.say(f"{endpoint} was never retrained")
        return
    console.out.print(retraining_report.history(runs))


@app.command()
def run(endpoint: Endpoint, wait: Wait = False) -> None:
    """Begin a run now, whatever the triggers say; cooldown and budget count it."""
    settings = Settings()
    with audit.recorded(settings, Action.RETRAINING_STARTED, f"endpoint/{endpoint}"):
        begun = _watch(settings).ask(endpoint, person.at_this_machine())
    console.say(f"{begun.name} has begun")
    if wait:
        _wait_for(settings, begun.name)


@app.command()
def look(endpoint: Endpoint, wait: Wait = False) -> None:
    """Begin a run if it is due, and move on the one that has begun: what the controller does all the time.

    For schedulers where no controller runs. With --wait the exit code is 1 as long as the latest run has failed: a
    scheduler that tries again would take silence for success.
    """
    from ray_apps.retraining.run import State

    settings = Settings()
    decided = _watch(settings).look(endpoint)
    runs = _journal(settings).runs(endpoint)
    if decided.trigger is None:
        console.say(f"not now: {decided.held}" if decided.held else "no trigger is met")
    else:
        console.say(f"{runs[-1].name} has begun: {decided.trigger.text}")
    if not wait or not runs:
        return
    if runs[-1].state.is_active:
        _wait_for(settings, runs[-1].name)
    elif runs[-1].state is State.FAILED:
        console.say(f"{runs[-1].name} has failed: {runs[-1].notes[-1].text}")
        raise typer.Exit(1)


@app.command()
def approve(endpoint: Endpoint) -> None:
    """Begin the canary of the challenger that has won; exit code 1 if it cannot have one."""
    from ray_apps.retraining.run import State

    settings = Settings()
    with audit.recorded(settings, Action.RETRAINING_APPROVED, f"endpoint/{endpoint}"):
        approved = _watch(settings).approve(endpoint, person.at_this_machine())
    console.say(f"{approved.name}: {approved.state}; {approved.notes[-1].text}")
    if approved.state not in (State.APPROVED, State.CANARY):
        raise typer.Exit(1)


@app.command()
def decline(endpoint: Endpoint) -> None:
    """End the run whose challenger waits: it gets no canary, and holds other runs no more."""
    settings = Settings()
    with audit.recorded(settings, Action.RETRAINING_DECLINED, f"endpoint/{endpoint}"):
        declined = _watch(settings).decline(endpoint, person.at_this_machine())
    console.say(f"{declined.name}: {declined.state}")


@app.command()
def delete(endpoint: Endpoint) -> None:
    """Watch an endpoint no more; its runs stay in the history."""
    settings = Settings()
    with audit.recorded(settings, Action.RETRAINING_PLANNED, f"endpoint/{endpoint}", {"deleted": True}):
        _journal(settings).forget(endpoint)
    console.say(f"{endpoint} is not watched any more")


def _wait_for(settings: Settings, name: str) -> None:
    """Follow a run to its result, and move it on meanwhile: there may be no controller."""
    from ray_apps.retraining.run import State

    watch, journal = _watch(settings), _journal(settings)
    with console.step(name) as tell:
        while (found := journal.run(name)).state in (State.DECIDED, State.RUNNING):
            tell(found.notes[-1].text)
            time.sleep(_POLL_SECONDS)
            watch.follow(found.endpoint)
    if found.state is State.APPROVED:  # its canary may have to wait for days, for another rollout
        watch.follow(found.endpoint)
        found = journal.run(name)
    console.say(f"{found.state}: {found.notes[-1].text}")
    if found.state is State.FAILED:
        raise typer.Exit(1)


def _journal(settings: Settings) -> Journal:
    from ray_apps.retraining.local import journal_of

    return journal_of(settings)


def _watch(settings: Settings) -> Watch:
    from ray_apps.retraining.local import local_watch

    return local_watch(settings)
