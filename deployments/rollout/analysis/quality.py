"""Accuracy on the labels that came back: how far the candidate's is below stable's."""

from __future__ import annotations

from deployments.contracts.rollout_checks import QualityCheck
from deployments.contracts.verdict import Finding
from deployments.rollout.analysis import drop
from deployments.rollout.analysis.window import Terms, Window, finding


def judge(check: QualityCheck, window: Window, terms: Terms) -> Finding:
    """Judge the drop of the candidate's accuracy."""
    outcome, message, evidence = drop.judge(
        drop.Comparison(window.stable.labels, window.candidate.labels, "labels", check.min_labels),
        check.limit_drop,
        terms.alpha,
    )
    return finding(check, outcome, f"accuracy: {message}", evidence)
