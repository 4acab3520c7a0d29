"""All checks of a plan on one window."""

from __future__ import annotations

from deployments.contracts.rollout_checks import (
    AnyCheck,
    BusinessValueCheck,
    ErrorRateCheck,
    LatencyCheck,
    PredictionShiftCheck,
    QualityCheck,
    QueryCheck,
)
from deployments.contracts.rollout_plan import Analysis
from deployments.contracts.verdict import Finding, Outcome, Verdict
from deployments.rollout.analysis import (
    business_value,
    error_rate,
    latency,
    prediction_shift,
    quality,
    query,
    shadow_disagreement,
)
from deployments.rollout.analysis.window import Terms, Window, finding


def judge(analysis: Analysis, window: Window, limited: str = "") -> Verdict:
    """The verdict on a candidate.

    The plan's confidence is that of all checks together: each has its part of what may go wrong, except queries,
    which know nothing of chance.

    Args:
        analysis: Of the plan.
        window: What was counted.
        limited: Why the figures speak for errors and latency alone, or empty. Such a verdict is never healthy: it
            protects callers until whoever counts is back, or the plan's limit of errors is reached. Queries are
            answered by somebody else.
    """
    of_chance = max(1, len(analysis.checks) - len(analysis.queries))
    terms = Terms(analysis.min_requests, (1 - analysis.confidence) / of_chance)
    if not limited:
        return Verdict(findings=tuple(_judge(check, window, terms) for check in analysis.checks))
    findings = (
        _judge(check, window, terms)
        if isinstance(check, ErrorRateCheck | LatencyCheck | QueryCheck)
        else finding(check, Outcome.ERROR, f"{check.check}: cannot be told", {})
        for check in analysis.checks
    )
    return Verdict(findings=(*findings, *in_error(limited).findings))


def in_error(reason: str) -> Verdict:
    """The verdict of an analysis that could not be made."""
    return Verdict(findings=(Finding(check="evidence", outcome=Outcome.ERROR, message=reason),))


def _judge(check: AnyCheck, window: Window, terms: Terms) -> Finding:
    match check:
        case ErrorRateCheck():
            return error_rate.judge(check, window, terms)
        case LatencyCheck():
            return latency.judge(check, window, terms)
        case PredictionShiftCheck():
            return prediction_shift.judge(check, window, terms)
        case QualityCheck():
            return quality.judge(check, window, terms)
        case BusinessValueCheck():
            return business_value.judge(check, window, terms)
        case QueryCheck():
            return query.judge(check, window, terms)
        case _:
            return shadow_disagreement.judge(check, window, terms)
