"""A quantile of the latency, as the share of requests that took longer than the limit.

"The 99th percentile is over 500 ms" says the same as "more than 1 % took longer than 500 ms", and of a share there
is an exact sequence; what histograms can answer exactly are shares beyond one of their bounds.
"""

from __future__ import annotations

from bisect import bisect_left

from deployments.contracts.metric_names import LATENCY_BUCKETS_SECONDS as BOUNDS
from deployments.contracts.rollout_checks import LatencyCheck
from deployments.contracts.verdict import Finding, Outcome
from deployments.rollout.analysis.window import Observed, Terms, Window, against_limit, finding, worst
from deployments.rollout.statistics import histogram_quantile, proportion_sequence


def judge(check: LatencyCheck, window: Window, terms: Terms) -> Finding:
    """Judge the candidate's quantile by itself and against stable's."""
    counts = window.candidate.counts.latency_counts
    requests, name = sum(counts), f"p{100 * check.quantile:g}"
    outcomes, phrases, evidence = [Outcome.INCONCLUSIVE], ["the candidate had no request yet"], dict[str, float]()
    if requests:
        enough = requests >= terms.min_requests
        alpha = terms.alpha if check.limit_times_stable is None else terms.alpha / 3
        seen = histogram_quantile.interval(BOUNDS, counts, check.quantile, alpha)
        evidence = {"candidate_requests": requests, f"candidate_{name}_seconds": seen.estimate}
        limits = [check.limit_seconds, *_relative_limit(check, window.stable, alpha)]
        outcomes, phrases = [], [f"{name} about {seen.estimate * 1000:.0f} ms"]
        for limit in limits:
            bound = next(bound for bound in (*BOUNDS, float("inf")) if bound >= limit)
            slower = sum(counts[bisect_left(BOUNDS, bound) + 1 :])
            share = proportion_sequence.interval(slower, requests, alpha)
            outcomes.append(against_limit(share, 1 - check.quantile, enough))
            evidence |= {f"slower_than_{bound:g}_seconds": slower, "slower_share_at_least": share.lower}
            phrases.append(f"{slower} of {requests} took over {bound * 1000:g} ms, surely {share.lower:.2%}")
    return finding(
        check,
        worst(outcomes),
        f"latency: {'; '.join(phrases)} (limit {1 - check.quantile:.2%} over {check.limit_seconds:g} s)",
        evidence,
    )


def _relative_limit(check: LatencyCheck, stable: Observed, alpha: float) -> list[float]:
    """So many times what stable's quantile may be at the most; none while stable has no request.

    Bounded by the histogram's last bound: beyond it nothing can be told.
    """
    counts = stable.counts.latency_counts
    if check.limit_times_stable is None or not sum(counts):
        return []
    quantile = histogram_quantile.interval(BOUNDS, counts, check.quantile, alpha)
    return [min(check.limit_times_stable * quantile.upper, BOUNDS[-1])]
