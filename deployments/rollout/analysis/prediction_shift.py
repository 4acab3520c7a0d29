"""How differently candidate and stable predict on the same traffic: the stability index of their labels.

    PSI = sum over labels of (p - q) log(p / q)

with p the candidate's and q stable's share of a label. Noise alone makes a PSI above 0, so the limit is held
against what it surely is: every share has an exact sequence, and each label counts with the two nearest plausible
shares. The estimate has half a row added to every label, so that one that never occurred does not make it
infinite.

Source: Siddiqi, "Credit risk scorecards" (2006); the sequences are those of ``statistics.proportion_sequence``.
"""

from __future__ import annotations

from math import log

from deployments.contracts.rollout_checks import PredictionShiftCheck
from deployments.contracts.verdict import Finding, Outcome
from deployments.rollout.analysis.window import Terms, Window, against_limit, finding
from deployments.rollout.statistics import proportion_sequence
from deployments.rollout.statistics.interval import Interval


def judge(check: PredictionShiftCheck, window: Window, terms: Terms) -> Finding:
    """Judge the shift of the candidate's labels from stable's."""
    ours, theirs = window.candidate.counts.labels, window.stable.counts.labels
    rows, stable_rows = sum(ours.values()), sum(theirs.values())
    evidence: dict[str, float] = {"candidate_rows": rows, "stable_rows": stable_rows}
    if not rows or not stable_rows:
        outcome, message = Outcome.INCONCLUSIVE, "no labels of both versions yet"
    else:
        shift = stability_index(ours, theirs, terms.alpha)
        outcome = against_limit(shift, check.limit, min(rows, stable_rows) >= terms.min_requests)
        evidence |= {"index": shift.estimate, "index_at_least": shift.lower}
        message = f"index {shift.estimate:.3f}, surely {shift.lower:.3f} (limit {check.limit:g})"
    return finding(check, outcome, f"prediction shift: {message}", evidence)


def stability_index(ours: dict[str, int], theirs: dict[str, int], alpha: float) -> Interval:
    """The index with a bound that it surely reaches, at any look; nothing is said of how large it may be.

    Raises:
        ValueError: One side has no rows.
    """
    labels = sorted(ours.keys() | theirs.keys())
    our_rows, their_rows = sum(ours.values()), sum(theirs.values())
    estimate = lower = 0.0
    for label in labels:
        ours_here, theirs_here = ours.get(label, 0), theirs.get(label, 0)
        smooth = len(labels) / 2
        estimate += _term((ours_here + 0.5) / (our_rows + smooth), (theirs_here + 0.5) / (their_rows + smooth))
        p = proportion_sequence.interval(ours_here, our_rows, alpha / (2 * len(labels)))
        q = proportion_sequence.interval(theirs_here, their_rows, alpha / (2 * len(labels)))
        if p.lower > q.upper:
            lower += _term(p.lower, q.upper)
        elif q.lower > p.upper:
            lower += _term(p.upper, q.lower)
    return Interval(estimate, lower, float("inf"))


def _term(p: float, q: float) -> float:
    return (p - q) * log(p / q)
