"""A candidate that answers logged requests again: how often its label is another than stable's, and who was right.

Rows are logged requests, each answered once by both: looked at once, when all of them are scored.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployments.contracts.rollout_plan import ReplayStep
from deployments.contracts.verdict import Finding, Outcome
from deployments.rollout.analysis import drop
from deployments.rollout.analysis.window import against_limit, worst
from deployments.rollout.statistics import proportion_sequence
from deployments.rollout.statistics.sample import NOTHING, Sample

CHECK = "replay"


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay.

    Attributes:
        is_done: Whether every row is scored.
        told: How far it is, or why there is nothing, for people.
        rows: Requests that both answered.
        disagreements: Of them, with another label.
        candidate: Of those with a known label: 1 where the candidate was right, else 0.
        stable: The same of what stable had answered.
        rejected: Requests that the candidate did not answer, because they do not fit it.
    """

    is_done: bool
    told: str = ""
    rows: int = 0
    disagreements: int = 0
    candidate: Sample = NOTHING
    stable: Sample = NOTHING
    rejected: int = 0


def judge(step: ReplayStep, replayed: Replayed, alpha: float) -> Finding:
    """Judge a replay; one that still runs, or had too few requests, is inconclusive.

    Args:
        step: Of the plan.
        replayed: What came of it.
        alpha: Probability with which a sound candidate may be withdrawn.
    """
    evidence: dict[str, float] = {
        "rows": replayed.rows,
        "disagreements": replayed.disagreements,
        "rejected": replayed.rejected,
    }
    if not replayed.is_done or not replayed.rows:
        return _finding(step, Outcome.INCONCLUSIVE, replayed.told, evidence)
    share = proportion_sequence.interval(replayed.disagreements, replayed.rows, alpha / 2)
    outcomes = [against_limit(share, step.limit_disagreement, replayed.rows >= step.min_rows)]
    evidence |= {"share": share.estimate, "share_at_least": share.lower, "share_at_most": share.upper}
    message = (
        f"{replayed.disagreements} of {replayed.rows} logged requests get another label, surely {share.lower:.2%} "
        f"(limit {step.limit_disagreement:.2%})"
    )
    if min(replayed.candidate.count, replayed.stable.count) >= step.min_labels:
        compared = drop.Comparison(replayed.stable, replayed.candidate, "labels", step.min_labels)
        outcome, told, more = drop.judge(compared, step.limit_drop, alpha / 2)
        # Where nobody can tell them apart for sure, agreement decides.
        outcomes += [outcome] if outcome is Outcome.UNHEALTHY else []
        message, evidence = f"{message}; accuracy {told}", {**evidence, **more}
    return _finding(step, worst(outcomes), message, evidence)


def _finding(step: ReplayStep, outcome: Outcome, message: str, evidence: dict[str, float]) -> Finding:
    return Finding(
        check=CHECK, outcome=outcome, message=f"replay: {message}", evidence=evidence, on_breach=step.on_breach
    )
