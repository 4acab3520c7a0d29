"""Retraining as people read it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from deployments.contracts import duration

if TYPE_CHECKING:
    from ray_apps.retraining.decision import DriftWindow
    from ray_apps.retraining.journal import AppliedPlan
    from ray_apps.retraining.run import RetrainingRun


def status(applied: AppliedPlan, windows: Sequence[DriftWindow], runs: Sequence[RetrainingRun]) -> Group:
    """The plan, the windows, and the latest run with everything that is known of it."""
    plan = applied.plan
    lines = [
        f"{plan.endpoint}: {plan.training}, applied {_moment(applied.applied)}",
        f"triggers: {'; '.join(_triggers(applied))}",
        f"cooldown {duration.text(plan.cooldown)}, at most {plan.budget.runs} runs in "
        f"{duration.text(plan.budget.within)}; a winner gets {plan.winner}",
    ]
    if windows:
        critical = ", ".join(f"{window.at:%H:%M} {window.critical}" for window in windows)
        lines.append(f"critical features by window: {critical}")
    if not runs:
        return Group(*map(escape, lines), "no run yet")
    return Group(*map(escape, lines), history(runs[-1:]))


def history(runs: Sequence[RetrainingRun]) -> Table:
    """One line a note, runs one after the other."""
    table = Table("run", "at (UTC)", "state", "what happened", box=None)
    for run in runs:
        for place, note in enumerate(run.notes):
            name = f"{run.name}\n  {run.trigger.kind}, {run.started_by}" if place == 0 else ""
            table.add_row(escape(name), _moment(note.at), note.state, escape(note.text))
    return table


def _triggers(applied: AppliedPlan) -> list[str]:
    triggers, told = applied.plan.triggers, []
    if triggers.drift:
        told.append(f"drift critical in {triggers.drift.critical} of {triggers.drift.of} windows")
    if triggers.quality:
        told.append(f"{triggers.quality.metric} {triggers.quality.drop:.0%} below its baseline")
    if triggers.every:
        told.append(f"every {duration.text(triggers.every)}")
    return told


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
