"""What ``raygate replay`` prints."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from deployments.contracts.rollout_plan import ReplayStep
from deployments.contracts.verdict import Finding
from deployments.rollout.analysis.replay import Replayed
from deployments.rollout.statistics.sample import Sample
from ray_apps.cli.rollout_report import COLOURS
from ray_apps.replays import WantedReplay


def table(asked: WantedReplay, step: ReplayStep, replayed: Replayed, finding: Finding) -> Table:
    """Every figure beside its limit.

    Args:
        asked: What was replayed.
        step: The limits.
        replayed: What came of it.
        finding: The verdict.
    """
    made = Table("", "found", "limit", box=None)
    made.add_row("answered requests", f"{replayed.rows:,}", f"at least {step.min_rows:,}")
    if replayed.rejected:
        made.add_row(f"do not fit {asked.candidate}", f"{replayed.rejected:,}", "")
    limit = f"{step.limit_disagreement:.2%}"
    made.add_row("get another label", _share(finding, replayed), limit)
    made.add_row(
        f"accuracy of {asked.stable}", _accuracy(replayed.stable), f"on at least {step.min_labels:,} labels"
    )
    made.add_row(f"accuracy of {asked.candidate}", _accuracy(replayed.candidate), f"{step.limit_drop:g} less")
    return made


def verdict(finding: Finding) -> str:
    """The verdict in a line, with markup."""
    return f"[{COLOURS[finding.outcome]}]{finding.outcome}[/]: {escape(finding.message)}"


def document(asked: WantedReplay, finding: Finding) -> dict[str, Any]:
    """The same for scripts."""
    return {
        "model": asked.model,
        "stable": str(asked.stable),
        "candidate": str(asked.candidate),
        "since": asked.since.isoformat(),
        "until": asked.until.isoformat(),
        "outcome": finding.outcome.value,
        "message": finding.message,
        "evidence": finding.evidence,
    }


def _share(finding: Finding, replayed: Replayed) -> str:
    if "share" not in finding.evidence:
        return ""
    share, least, most = (finding.evidence[name] for name in ("share", "share_at_least", "share_at_most"))
    return f"{replayed.disagreements:,}: {share:.2%} (plausible {least:.2%} to {most:.2%})"


def _accuracy(judged: Sample) -> str:
    return f"{judged.mean:.4g} on {judged.count:,} labels" if judged.count else "no label is known"
