"""What the monitor answers to a gateway's snapshot: how all gateways' feedback on each version stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from deployments.contracts.snapshot import VersionCounts

FeedbackTotals = dict[tuple[str, str], tuple[int, int]]
"""Successes and failures by (model, version)."""


def to_plain(versions: Mapping[tuple[str, str], VersionCounts]) -> dict[str, Any]:
    """The totals as plain data; versions without a judged outcome are left out."""
    judged = [
        [model, version, counts.feedback_successes, counts.feedback_failures]
        for (model, version), counts in versions.items()
        if counts.feedback_successes or counts.feedback_failures
    ]
    return {"feedback": judged}


def from_plain(plain: object) -> FeedbackTotals:
    """Read the totals; a monitor of another release that says nothing of them gives none."""
    rows: Iterable[Any] = plain.get("feedback", ()) if isinstance(plain, dict) else ()
    return {(model, version): (successes, failures) for model, version, successes, failures in rows}
