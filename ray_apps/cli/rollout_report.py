"""What ``raygate rollout`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from deployments.contracts import duration
from deployments.contracts.rollout_status import OwedAlias, RolloutStatus
from deployments.contracts.verdict import Outcome
from deployments.rollout.control_database import Decision
from deployments.rollout.state import Phase

Page = Group
COLOURS = {
    Outcome.HEALTHY: "green",
    Outcome.UNHEALTHY: "red",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.ERROR: "magenta",
}


def page(status: RolloutStatus, observed: Mapping[str, float] | None) -> Page:
    """One look at a rollout.

    Args:
        status: What was decided.
        observed: Shares (0 to 1) that gateways have in force; None if nobody can tell.
    """
    head = f"[bold]{escape(status.rollout)}[/]  {status.phase}, step {status.step} of {status.steps}"
    parts: list[object] = [head, _weights(status, observed)]
    if status.reason:
        parts.append(escape(status.reason))
    if status.trouble:
        parts.append(f"[red]{escape(status.trouble)}[/]")
    if status.owed_alias is not None:
        parts.append(f"[yellow]{escape(owed_text(status.owed_alias))}[/]")
    if status.next_verdict_not_before is not None:
        parts.append(f"next verdict in {_left(status.next_verdict_not_before)}")
    if status.next_step_not_before is not None:
        parts.append(f"next step in {_left(status.next_step_not_before)} at the earliest, if healthy")
    # What was found at the last weight says nothing of this one, but of an end it is the reason.
    if status.verdict is not None and (status.judged is not None or Phase(status.phase).is_final):
        parts.append(_checks(status))
    return Group(*(part if isinstance(part, Table) else str(part) for part in parts))


def owed_text(owed: OwedAlias) -> str:
    """What the registry is still to be told, in a sentence."""
    told = f"the alias champion of {owed.model} is still to name {owed.version}, since {owed.since:%H:%M:%S}"
    return f"{told}: {owed.trouble}" if owed.trouble else told


def history(decisions: Sequence[Decision]) -> Table:
    """Every decision, a line each."""
    table = Table("at", "decision", "weights", "by", "why")
    for made in decisions:
        weights = made.detail.get("weights")
        shown = ", ".join(f"{version} {weight:g} %" for version, weight in _shares(weights).items())
        why, actor = str(made.detail.get("reason", "")), str(made.detail.get("actor", ""))
        table.add_row(made.at.strftime("%H:%M:%S"), made.action, shown, escape(actor), escape(why))
    return table


def _left(until: datetime) -> str:
    return duration.text(max(until - datetime.now(UTC), timedelta()))


def _weights(status: RolloutStatus, observed: Mapping[str, float] | None) -> Table:
    table = Table("version", "role", "decided", "observed")
    for version, role, weight in (
        (status.stable, "stable", 100 - status.weight),
        (status.candidate, "candidate", status.weight),
    ):
        seen = "?" if observed is None else f"{100 * observed.get(str(version), 0):g} %"
        table.add_row(str(version), role, f"{weight:g} %", seen)
    return table


def _checks(status: RolloutStatus) -> Table:
    assert status.verdict is not None
    table = Table("check", "verdict", "evidence")
    for found in status.verdict.findings:
        colour = COLOURS[found.outcome]
        needed = "" if found.required else " (not waited for)"
        table.add_row(found.check, f"[{colour}]{found.outcome.value}[/]{needed}", escape(found.message))
    return table


def _shares(weights: object) -> dict[str, float]:
    return (
        {str(version): float(weight) for version, weight in weights.items()} if isinstance(weights, dict) else {}
    )
