"""A figure of the owner's own, as Prometheus tells it, against limits of the plan.

Nobody knows how far chance moves it, so it says nothing at all before the candidate had the requests that the plan
asks for, and from then on is held against its limits as it is.
"""

from __future__ import annotations

from deployments.contracts.rollout_checks import QueryCheck, Worse
from deployments.contracts.verdict import Finding, Outcome
from deployments.rollout.analysis.window import Answer, Observed, Terms, Window, finding, worst


def judge(check: QueryCheck, window: Window, terms: Terms) -> Finding:
    """Judge the candidate's figure by itself and against stable's."""
    sides = {"candidate": window.candidate}
    if check.limit_times_stable is not None:
        sides["stable"] = window.stable
    answers = {side: _answer(check, observed) for side, observed in sides.items()}
    evidence: dict[str, float] = {"candidate_requests": window.candidate.requests}
    evidence |= {side: answer.value for side, answer in answers.items() if answer.value is not None}
    troubles = dict.fromkeys(answer.trouble for answer in answers.values() if answer.trouble)
    if troubles:
        outcome, told = Outcome.ERROR, "; ".join(troubles)
    elif window.candidate.requests < terms.min_requests:
        outcome = Outcome.INCONCLUSIVE
        told = f"the candidate had {window.candidate.requests} of {terms.min_requests} requests"
    else:
        outcome, told = _against_limits(check, answers)
    return finding(check, outcome, f"query {check.name}: {told}", evidence)


def _answer(check: QueryCheck, observed: Observed) -> Answer:
    return observed.answers.get(check.name) or Answer(trouble="nobody was asked")


def _against_limits(check: QueryCheck, answers: dict[str, Answer]) -> tuple[Outcome, str]:
    ours = answers["candidate"].value
    if ours is None:
        return Outcome.INCONCLUSIVE, "no figure of the candidate yet"
    outcomes, phrases = [], [f"{ours:.4g}"]
    if check.limit is not None:
        outcomes.append(_outcome(check, ours, check.limit))
        phrases.append(f"limit {check.limit:g}")
    if check.limit_times_stable is not None:
        theirs = answers["stable"].value
        if theirs is None:
            outcomes.append(Outcome.INCONCLUSIVE)
            phrases.append("no figure of stable yet")
        elif theirs < 0:
            outcomes.append(Outcome.ERROR)
            phrases.append(f"stable's is {theirs:.4g}, and of a negative figure there is no multiple")
        else:
            outcomes.append(_outcome(check, ours, check.limit_times_stable * theirs))
            phrases.append(f"limit {check.limit_times_stable:g} times stable's {theirs:.4g}")
    return worst(outcomes), f"{', '.join(phrases)}; {check.worse} is worse"


def _outcome(check: QueryCheck, figure: float, limit: float) -> Outcome:
    is_over = figure > limit if check.worse is Worse.HIGHER else figure < limit
    return Outcome.UNHEALTHY if is_over else Outcome.HEALTHY
