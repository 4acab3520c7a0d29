"""What ``raygate apply --dry-run``, ``get`` and ``describe`` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import yaml
from rich.markup import escape
from rich.syntax import Syntax
from rich.table import Table

from deployments.contracts import duration
from deployments.routing.slot_table import SlotTable
from ray_apps.cli import console, rollout_report

if TYPE_CHECKING:
    from deployments.rollout.control_database import Decision
    from deployments.rollout.endpoint_store import WantedEndpoint
    from deployments.rollout.state import Rollout
    from ray_apps.control import Difference

_SHOWN_DECISIONS = 5


def show_difference(found: Difference) -> None:
    """In words first, then what Serve would be asked for."""
    for sentence in found.in_words or ("nothing that is wanted changes",):
        console.say(f"- {sentence}")
    for name in found.superfluous:
        console.say(f"- the application {name} is removed after the grace period")
    if not found.configs:
        console.say("Serve is asked for nothing else than it runs.")
    for lines in found.configs.values():
        console.out.print(Syntax(lines, "diff", background_color="default"), soft_wrap=True)


def show_all(wanted: Mapping[str, WantedEndpoint], rollouts: Mapping[str, Rollout]) -> None:
    """A line for each endpoint."""
    table = Table("endpoint", "model", "stable", "traffic", "generation", "rollout", box=None)
    for name, endpoint in wanted.items():
        latest = rollouts.get(name)
        table.add_row(
            name,
            endpoint.policy.model,
            str(endpoint.policy.stable),
            _traffic(endpoint),
            str(endpoint.generation),
            f"{latest.candidate} {latest.state.phase}" if latest else "",
        )
    console.out.print(table)


def show_one(endpoint: WantedEndpoint, latest: Rollout | None, history: Sequence[Decision]) -> None:
    """Everything that is wanted of an endpoint, and how it came to that."""
    policy = endpoint.policy
    console.out.print(f"[bold]{escape(endpoint.document.name)}[/]  model {policy.model}, stable {policy.stable}")
    console.say(f"traffic: {_traffic(endpoint)} (policy {policy.policy_epoch}, file {endpoint.generation})")
    if latest is not None:
        console.say(f"rollout: {latest.name} is {latest.state.phase} at {latest.state.weight:g} %")
        if latest.state.reason:
            console.say(f"         {latest.state.reason}")
        if latest.state.owed_alias is not None:
            console.say(f"         {rollout_report.owed_text(latest.state.owed_alias)}")
    table = Table("version", "role", "replicas", "CPUs each", box=None)
    for served in endpoint.document.spec.versions:
        scaling = served.scaling
        replicas = f"{scaling.min_replicas}..{scaling.max_replicas}"
        if policy.may_sleep(served.version) and scaling.sleeps_after is not None:
            replicas += f", asleep after {duration.text(scaling.sleeps_after)}"
        table.add_row(str(served.version), served.role.value, replicas, f"{served.resources.cpus:g}")
    console.out.print(table)
    console.say("last decisions:")
    for made in history[-_SHOWN_DECISIONS:]:
        console.say(f"  {made.at:%Y-%m-%d %H:%M:%S} {made.action} {made.detail.get('reason', '')}".rstrip())


def as_yaml(endpoint: WantedEndpoint) -> str:
    """The endpoint file that was last applied, with every default written out."""
    document = endpoint.document.model_dump(mode="json", by_alias=True, exclude_none=True)
    return yaml.safe_dump(document, sort_keys=False, width=110)


def _traffic(endpoint: WantedEndpoint) -> str:
    shares = SlotTable(endpoint.policy.slots).shares
    return ", ".join(f"{version} {100 * share:g} %" for version, share in sorted(shares.items()))
