"""The mean of what feedback says a prediction was worth, as a share of stable's."""

from __future__ import annotations

from deployments.contracts.rollout_checks import BusinessValueCheck
from deployments.contracts.verdict import Finding
from deployments.rollout.analysis import drop
from deployments.rollout.analysis.window import Terms, Window, finding


def judge(check: BusinessValueCheck, window: Window, terms: Terms) -> Finding:
    """Judge the drop of the candidate's mean value."""
    stable = window.stable.values
    # A mean of 0 has no share; then every surely negative difference is a drop.
    scale = abs(stable.mean) if stable is not None and stable.count else 0.0
    outcome, message, evidence = drop.judge(
        drop.Comparison(stable, window.candidate.values, "values", check.min_values),
        check.limit_drop * scale,
        terms.alpha,
    )
    return finding(check, outcome, f"business value: {message}", evidence)
