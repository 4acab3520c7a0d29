"""Two means, watched as they come in: the mixture sequential probability ratio test (mSPRT).

With D the difference of the means, V its estimated variance and a normal mixture N(0, tau^2) over the true
difference, the likelihood ratio against "the difference is theta" is

    L = sqrt(V / (V + tau^2)) exp(tau^2 (D - theta)^2 / (2 V (V + tau^2)))

and the confidence sequence is the set of theta for which it has never reached 1/alpha:

    D +- sqrt(V (V + tau^2) / tau^2 * (2 log(1/alpha) + log((V + tau^2) / V)))

It holds for all looks together, asymptotically: from ``MIN_OBSERVATIONS`` of each side on. tau is the size of
difference that is looked for; another choice costs time, never validity.

Sources: Johari, Koomen, Pekelis, Walsh, "Always valid inference: continuous monitoring of A/B tests", Operations
Research 70 (2022); Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory and asymptotic
confidence sequences", Annals of Statistics 52 (2024).
"""

from __future__ import annotations

from math import exp, log, sqrt

from deployments.rollout.statistics.interval import Interval
from deployments.rollout.statistics.sample import Sample

MIN_OBSERVATIONS = 50


def interval(control: Sample, treatment: Sample, tau: float, alpha: float) -> Interval | None:
    """Plausible differences, treatment less control; None while there is too little to say.

    Args:
        control: What is compared with.
        treatment: What is compared.
        tau: Difference that is looked for, above 0.
        alpha: Probability that the true difference is ever outside, over all looks.
    """
    variance = _variance(control, treatment)
    if variance is None:
        return None
    difference = treatment.mean - control.mean
    width = half_width(variance, tau, alpha)
    return Interval(difference, difference - width, difference + width)


def p_value(control: Sample, treatment: Sample, tau: float) -> float:
    """The always-valid p-value of "no difference" at this look; the smallest of all looks is one too."""
    variance = _variance(control, treatment)
    if variance is None:
        return 1.0
    difference = treatment.mean - control.mean
    exponent = tau**2 * difference**2 / (2 * variance * (variance + tau**2))
    log_ratio = 0.5 * log(variance / (variance + tau**2)) + exponent
    return exp(-max(0.0, log_ratio))


def half_width(variance: float, tau: float, alpha: float) -> float:
    """Half the width of the sequence where the difference has this variance."""
    inflated = variance + tau**2
    return sqrt(variance * inflated / tau**2 * (2 * log(1 / alpha) + log(inflated / variance)))


def _variance(control: Sample, treatment: Sample) -> float | None:
    if min(control.count, treatment.count) < MIN_OBSERVATIONS:
        return None
    return control.variance_of_mean + treatment.variance_of_mean or None
