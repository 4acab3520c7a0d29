"""What the commands of the local stack print."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from ray_apps.cli.console import out, say
from ray_apps.local.first_predictions import FirstPrediction
from ray_apps.local.status import StackStatus

# As many features as fit on a terminal beside the answer.
_SHOWN_FEATURES = 4


def show_predictions(endpoint: str, answers: list[FirstPrediction]) -> None:
    """Print the rows that were sent and what came back."""
    shown = list(answers[0].features)[:_SHOWN_FEATURES] if answers else []
    table = Table(title=f"Rows of the reference sample through {endpoint}", title_justify="left")
    for name in shown:
        table.add_column(name, style="dim", justify="right")
    for name in ("version", "prediction", "probability", "ms"):
        table.add_column(name, justify="right")
    for answer in answers:
        features = [_cell(answer.features[name]) for name in shown]
        probability = "" if answer.probability is None else f"{answer.probability:.3f}"
        table.add_row(
            *features, answer.model_version, str(answer.prediction), probability, f"{answer.latency_ms:.1f}"
        )
    out.print(table)


def show_urls(urls: dict[str, str]) -> None:
    """Print where everything is."""
    table = Table.grid(padding=(0, 2))
    for name, url in urls.items():
        table.add_row(f"[bold]{name}[/]", url)
    out.print(table)


def status_document(status: StackStatus) -> dict[str, Any]:
    """The status for scripts: plain data."""
    run = status.run
    return {
        "ready": status.ready,
        "phase": run.phase.value if run and status.alive else "down",
        "up_since": _time(run.started) if run and status.alive else None,
        "processes": {
            name: {"pid": process.pid, "running": name in status.alive}
            for name, process in (run.processes if run else {}).items()
        },
        "ports": run.ports if run else {},
        "applications": None
        if status.applications is None
        else {one.name: asdict(one) for one in status.applications},
        "weights": status.traffic.weights if status.traffic else None,
        "requests": status.traffic.requests if status.traffic else None,
        "audit": None
        if status.audit is None
        else {
            "waiting": status.audit.decisions,
            "oldest": status.audit.oldest and status.audit.oldest.isoformat(),
        },
    }


def show_status_json(status: StackStatus) -> None:
    """Print the status for scripts."""
    out.print_json(json.dumps(status_document(status)))


def show_status(status: StackStatus) -> None:
    """Print the status for people."""
    run = status.run
    if run is None or not status.alive:
        say("The stack is not up; `raygate up` starts it.")
        return
    ready = "[green]ready[/]" if status.ready else "[red]not ready[/]"
    out.print(f"{ready}, {run.phase.value} since {_time(run.started)}")
    stack = Table("process", "pid", "")
    for name, process in run.processes.items():
        stack.add_row(name, str(process.pid), "running" if name in status.alive else "[red]ended[/]")
    out.print(stack)
    ports = Table("port", "of")
    for purpose, port in run.ports.items():
        ports.add_row(str(port), purpose)
    out.print(ports)
    _show_applications(status)
    _show_traffic(status)
    if status.audit is not None and status.audit.oldest is not None:
        oldest = _time(status.audit.oldest.timestamp())
        say(f"{status.audit.decisions} decisions wait for the audit's database, the oldest since {oldest}.")


def _show_applications(status: StackStatus) -> None:
    if status.applications is None:
        say("The dashboard does not answer.")
        return
    table = Table("application", "status", "replicas", "")
    for one in status.applications:
        colour = "green" if one.status == "RUNNING" else "yellow"
        message = "asleep until somebody asks for it" if one.sleeps else one.message
        table.add_row(one.name, f"[{colour}]{one.status}[/]", f"{one.running}/{one.wanted}", message)
    out.print(table)


def _show_traffic(status: StackStatus) -> None:
    if status.traffic is None:
        say("The metrics do not answer.")
        return
    weights = Table("endpoint", "version", "weight")
    for endpoint, versions in status.traffic.weights.items():
        for version, weight in versions.items():
            weights.add_row(endpoint, version, f"{weight:.2%}")
    out.print(weights)
    requests = Table("model", "version", "requests", "share")
    for model, counts in status.traffic.requests.items():
        total = sum(counts.values()) or 1.0
        for version, count in counts.items():
            requests.add_row(model, version, f"{count:,.0f}", f"{count / total:.2%}")
    out.print(requests)


def _cell(value: Any) -> str:
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
