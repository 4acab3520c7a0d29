"""A mean of the candidate that must not be far below stable's."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.contracts.verdict import Outcome
from deployments.rollout.analysis.window import against_limit
from deployments.rollout.statistics import mean_difference_sequence
from deployments.rollout.statistics.sample import Sample


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared.

    Attributes:
        stable: None if nobody can tell.
        candidate: None if nobody can tell.
        what: Observations in the plural, for the message.
        least: Of each before health is believed.
    """

    stable: Sample | None
    candidate: Sample | None
    what: str
    least: int


def judge(compared: Comparison, limit: float, alpha: float) -> tuple[Outcome, str, dict[str, float]]:
    """Whether the candidate's mean is surely, perhaps or not more than ``limit`` below stable's.

    Returns:
        Outcome, message and evidence.
    """
    stable, candidate, what = compared.stable, compared.candidate, compared.what
    if stable is None or candidate is None:
        return Outcome.ERROR, f"the {what} cannot be read", {}
    evidence: dict[str, float] = {f"candidate_{what}": candidate.count, f"stable_{what}": stable.count}
    told = f"{candidate.count} {what} of the candidate, {stable.count} of stable"
    if min(candidate.count, stable.count) < max(2, mean_difference_sequence.MIN_OBSERVATIONS):
        return Outcome.INCONCLUSIVE, told, evidence
    evidence |= {"candidate_mean": candidate.mean, "stable_mean": stable.mean}
    # The difference that is looked for is the limit itself; a limit of 0 looks for what one deviation would be.
    tau = limit or candidate.variance**0.5 or 1.0
    lost = mean_difference_sequence.interval(candidate, stable, tau, alpha)
    if lost is None:  # nobody ever differs from anybody
        difference = stable.mean - candidate.mean
        outcome = Outcome.HEALTHY if difference <= limit else Outcome.UNHEALTHY
        return outcome, f"{candidate.mean:.4g} against {stable.mean:.4g}, without variance; {told}", evidence
    evidence |= {"drop": lost.estimate, "drop_at_least": lost.lower}
    enough = min(candidate.count, stable.count) >= compared.least
    message = (
        f"{candidate.mean:.4g} against {stable.mean:.4g}: {lost.estimate:.4g} less, surely {lost.lower:.4g} "
        f"(limit {limit:.4g}); {told}"
    )
    return against_limit(lost, limit, enough), message, evidence
