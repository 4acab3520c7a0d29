"""Requests that a version failed, and rows that it has no score for; what callers got wrong does not count."""

from __future__ import annotations

from deployments.contracts.metric_names import OK
from deployments.contracts.rollout_checks import ErrorRateCheck
from deployments.contracts.verdict import Finding, Outcome
from deployments.rollout.analysis.window import Observed, Terms, Window, against_limit, finding, worst
from deployments.rollout.statistics import proportion_sequence

VERSION_FAULTS = frozenset(
    {
        "UNSCORABLE_ROW",
        "MODEL_ERROR",
        "OVERLOADED",
        "MODEL_UNAVAILABLE",
        "DEADLINE_EXCEEDED",
        "INTERNAL_ERROR",
    }
)
"""Outcomes that are the version's doing; a failure that stable made good counts against the candidate too."""


def judge(check: ErrorRateCheck, window: Window, terms: Terms) -> Finding:
    """Judge the candidate's share of failed requests and of failed rows, each by itself and against stable's."""
    enough = window.candidate.requests >= terms.min_requests
    alpha = terms.alpha / (2 if check.limit_over_stable is None else 4)
    outcomes, phrases, evidence = [], [], dict[str, float]()
    for what, ours, theirs in (
        ("requests", _requests(window.candidate), _requests(window.stable)),
        ("rows", _rows(window.candidate), _rows(window.stable)),
    ):
        evidence |= {f"candidate_{what}": ours[1], f"candidate_failed_{what}": ours[0]}
        evidence |= {f"stable_{what}": theirs[1], f"stable_failed_{what}": theirs[0]}
        if not ours[1]:
            continue
        share = proportion_sequence.interval(*ours, alpha)
        evidence |= {f"{what}_share": share.estimate, f"{what}_share_at_least": share.lower}
        outcomes.append(against_limit(share, check.limit, enough))
        phrases.append(f"{ours[0]} of {ours[1]} {what} failed, surely more than {share.lower:.2%}")
        if check.limit_over_stable is not None and theirs[1]:
            over = proportion_sequence.difference(theirs, ours, alpha)
            evidence |= {f"{what}_over_stable": over.estimate, f"{what}_over_stable_at_least": over.lower}
            outcomes.append(against_limit(over, check.limit_over_stable, enough))
            phrases.append(f"{over.estimate:+.2%} against stable, limit {check.limit_over_stable:+.2%}")
    if not outcomes:
        outcomes, phrases = [Outcome.INCONCLUSIVE], ["the candidate had no request yet"]
    return finding(check, worst(outcomes), f"error rate: {'; '.join(phrases)} (limit {check.limit:.2%})", evidence)


def _requests(observed: Observed) -> tuple[int, int]:
    """Failed requests, and all that the version could have answered."""
    outcomes = observed.counts.requests
    failed = sum(count for outcome, count in outcomes.items() if outcome in VERSION_FAULTS)
    return failed, failed + outcomes.get(OK, 0)


def _rows(observed: Observed) -> tuple[int, int]:
    failed = sum(observed.counts.row_errors.values())
    return failed, failed + observed.counts.rows
