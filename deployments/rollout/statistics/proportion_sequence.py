"""A share, watched as it comes in: an exact confidence sequence for a Bernoulli mean.

For n trials with s successes and any share p, the beta mixture of likelihood ratios

    M_n(p) = B(1 + s, 1 + n - s) / (p^s (1 - p)^(n - s))

is a martingale that starts at 1 if p is the true share, so it ever reaches 1/alpha with a probability of at most
alpha (Ville's inequality). The sequence is the set of all p for which it has not. No approximation, for any n and
p.

Sources: Robbins, "Statistical methods related to the law of the iterated logarithm", Annals of Mathematical
Statistics 41 (1970); Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
sequences", Annals of Statistics 49 (2021).
"""

from __future__ import annotations

from collections.abc import Callable
from math import lgamma, log

from deployments.rollout.statistics.interval import Interval

_BISECTIONS = 50  # to 1e-15


def interval(successes: int, trials: int, alpha: float) -> Interval:
    """The shares that are plausible after so many trials.

    Args:
        successes: Of the trials.
        trials: At least one.
        alpha: Probability that the true share is ever outside, over all looks.

    Raises:
        ValueError: There are no trials, or more successes than trials.

    >>> found = interval(20, 200, alpha=0.05)
    >>> round(found.lower, 3), found.estimate, round(found.upper, 3)
    (0.046, 0.1, 0.181)
    """
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"{successes} successes of {trials} trials: needs one trial, and no more successes")
    failures = trials - successes
    mixture = lgamma(1 + successes) + lgamma(1 + failures) - lgamma(2 + trials)

    def is_implausible(share: float) -> bool:
        if share <= 0:
            return successes > 0
        if share >= 1:
            return failures > 0
        return mixture - successes * log(share) - failures * log(1 - share) >= log(1 / alpha)

    estimate = successes / trials
    return Interval(estimate, _edge(is_implausible, 0.0, estimate), _edge(is_implausible, 1.0, estimate))


def difference(control: tuple[int, int], treatment: tuple[int, int], alpha: float) -> Interval:
    """Plausible differences of two shares, treatment less control, by what is plausible of each.

    Args:
        control: Successes and trials.
        treatment: Successes and trials.
        alpha: Probability that the true difference is ever outside, over all looks at both.

    Raises:
        ValueError: One of them has no trials.
    """
    ours, theirs = interval(*treatment, alpha / 2), interval(*control, alpha / 2)
    return Interval(ours.estimate - theirs.estimate, ours.lower - theirs.upper, ours.upper - theirs.lower)


def _edge(is_implausible: Callable[[float], bool], outside: float, inside: float) -> float:
    """Where plausible begins, on the outer side of it."""
    if not is_implausible(outside):
        return outside
    for _ in range(_BISECTIONS):
        middle = (outside + inside) / 2
        if is_implausible(middle):
            outside = middle
        else:
            inside = middle
    return outside
