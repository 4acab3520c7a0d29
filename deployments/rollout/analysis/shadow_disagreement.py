"""Copies of requests for which the candidate, as a shadow, returns another label than the caller got."""

from __future__ import annotations

from deployments.contracts.rollout_checks import ShadowDisagreementCheck
from deployments.contracts.verdict import Finding, Outcome
from deployments.rollout.analysis.window import Terms, Window, against_limit, finding
from deployments.rollout.statistics import proportion_sequence


def judge(check: ShadowDisagreementCheck, window: Window, terms: Terms) -> Finding:
    """Judge the share of copies on which the two disagree."""
    counts = window.candidate.counts
    copies, disagreements = counts.shadow_rows, counts.shadow_disagreements
    evidence: dict[str, float] = {"copies": copies, "disagreements": disagreements}
    if not copies:
        outcome, message = Outcome.INCONCLUSIVE, "the candidate had no copy yet"
    else:
        share = proportion_sequence.interval(disagreements, copies, terms.alpha)
        outcome = against_limit(share, check.limit, copies >= check.min_rows)
        evidence |= {"share": share.estimate, "share_at_least": share.lower}
        message = f"{disagreements} of {copies} copies, surely {share.lower:.2%} (limit {check.limit:.2%})"
    return finding(check, outcome, f"shadow disagreement: {message}", evidence)
