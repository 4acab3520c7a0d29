"""Retraining by the clock where no controller looks after it: one look, by a plan in a file, in one process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from deployments.runtime.model_store import ModelStore
from ray_apps.local.lock import exclusive
from ray_apps.retraining import planning
from ray_apps.retraining.admin_serving import AdminServing
from ray_apps.retraining.local import journal_of
from ray_apps.retraining.own_process import OwnProcess
from ray_apps.retraining.ports import Serving
from ray_apps.retraining.run import RetrainingRun
from ray_apps.retraining.watch import Watch
from ray_apps.settings import PodSettings, Settings

Perform = Callable[[str], RetrainingRun]


class ScheduledSettings(PodSettings):
    """Of a pod that retrains by the clock; its manifest sets them."""

    controller: str = Field(description="Base URL of the controller's admin API; required")
    monitor: str = Field(description="URL of the monitor's Prometheus text")


def serving_of(settings: ScheduledSettings) -> AdminServing:
    """The endpoints of the pod's namespace."""
    return AdminServing(settings.controller, settings.monitor, settings.prediction_log, settings.api_key)


def look(
    plan: Path, settings: Settings, serving: Serving, perform: Perform, tell: Callable[[str], None]
) -> RetrainingRun | None:
    """Put a plan in force if it is new, go on with what has begun, begin what is due and do it here.

    A run that another process left unfinished has failed: only one process at a time looks.

    Args:
        plan: The retraining document.
        settings: Where models and state are.
        serving: The endpoints.
        perform: Does a run.
        tell: Told in one line what happens.

    Returns:
        The latest run; None if there was none yet.

    Raises:
        CommandRunning: Another process looks.
        RaygateError: The plan cannot be carried out, somebody does not answer, or the run failed.
    """
    with exclusive(settings.state / "retraining.lock"):
        journal, now = journal_of(settings), datetime.now(UTC)
        wanted = planning.read(plan, serving, ModelStore(settings.models), now)
        endpoint = wanted.plan.endpoint
        known = journal.plans().get(endpoint)
        if known is None or known.model_copy(update={"applied": now}) != wanted:
            journal.apply(wanted)
            tell(f"the plan of {endpoint} is in force")
        watch = Watch(journal, OwnProcess(perform), serving, lambda: datetime.now(UTC))
        decided = watch.look(endpoint)
        if decided.trigger is None:
            tell(f"not now: {decided.held}" if decided.held else "no trigger is met")
        watch.follow(endpoint)  # a winner's canary
        runs = journal.runs(endpoint)
    if runs:
        tell(f"{runs[-1].name} is {runs[-1].state}: {runs[-1].notes[-1].text}")
    return runs[-1] if runs else None
