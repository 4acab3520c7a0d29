"""Our statistics beside scipy's and statsmodels', and against the truth by simulation."""

import math

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats import power as statsmodels_power
from statsmodels.stats.proportion import proportions_ztest

from deployments.rollout.statistics import (
    fixed_horizon,
    histogram_quantile,
    mean_difference_sequence,
    power,
    proportion_sequence,
    sample_ratio,
)
from deployments.rollout.statistics.mean_difference_sequence import MIN_OBSERVATIONS
from deployments.rollout.statistics.power import PlannedEffect
from deployments.rollout.statistics.sample import Sample

ALPHA = 0.05
EXPERIMENTS = 1000
SIMULATION_ERROR = 3 * math.sqrt(ALPHA * (1 - ALPHA) / EXPERIMENTS)


def two_arms(generator, shares, units):
    """Running successes of many experiments, one row each, for both arms."""
    return [np.cumsum(generator.random((EXPERIMENTS, units)) < share, axis=1, dtype=np.int32) for share in shares]


def sequential_rejections(control, treatment, tau):
    """Which experiments have a winner at some look, where every observation is looked at."""
    units = np.arange(1, control.shape[1] + 1)
    shares = [arm / units for arm in (control, treatment)]
    variance = sum(share * (1 - share) / np.maximum(units - 1, 1) for share in shares)
    difference = np.abs(shares[1] - shares[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        inflated = variance + tau**2
        width = np.sqrt(variance * inflated / tau**2 * (2 * np.log(1 / ALPHA) + np.log(inflated / variance)))
    looks = (units >= MIN_OBSERVATIONS) & (variance > 0)
    return ((difference > width) & looks).any(axis=1)


def fixed_rejections(control, treatment):
    """Which of the looks of the fixed test reject, by experiment and observation."""
    units = np.arange(1, control.shape[1] + 1)
    pooled = (control + treatment) / (2 * units)
    error = np.sqrt(2 * pooled * (1 - pooled) / units)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (np.abs(treatment - control) / units / error > 1.959964) & (units >= MIN_OBSERVATIONS)


def test_the_vectors_of_the_simulation_are_the_function_itself():
    control, treatment = two_arms(np.random.default_rng(5), (0.1, 0.3), 400)
    decided = sequential_rejections(control[:20], treatment[:20], tau=0.05)
    for experiment in range(20):
        ever = False
        for look in range(400):
            ours = Sample.of_proportion(int(treatment[experiment, look]), look + 1)
            theirs = Sample.of_proportion(int(control[experiment, look]), look + 1)
            found = mean_difference_sequence.interval(theirs, ours, 0.05, ALPHA)
            ever = ever or (found is not None and not found.lower <= 0 <= found.upper)
        assert ever == decided[experiment]


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_peeking_at_every_observation_finds_at_most_five_per_cent_false_winners(share):
    control, treatment = two_arms(np.random.default_rng(1), (share, share), 4000)
    false_winners = sequential_rejections(control, treatment, tau=0.03).mean()
    assert false_winners <= ALPHA + SIMULATION_ERROR


def test_the_fixed_test_does_not_hold_under_peeking_and_does_at_its_end():
    control, treatment = two_arms(np.random.default_rng(1), (0.3, 0.3), 4000)
    rejections = fixed_rejections(control, treatment)
    assert rejections.any(axis=1).mean() > 0.25
    assert rejections[:, -1].mean() <= ALPHA + SIMULATION_ERROR


def test_peeking_at_means_finds_at_most_five_per_cent_false_winners():
    generator = np.random.default_rng(2)
    # Revenue: many zeros, a long tail.
    arms = [generator.lognormal(0, 1, (EXPERIMENTS, 2000)) * (generator.random((EXPERIMENTS, 2000)) < 0.3)] * 1
    arms.append(generator.lognormal(0, 1, (EXPERIMENTS, 2000)) * (generator.random((EXPERIMENTS, 2000)) < 0.3))
    units = np.arange(1, 2001)
    means = [np.cumsum(arm, axis=1) / units for arm in arms]
    variances = [
        (np.cumsum(arm**2, axis=1) - units * mean**2) / np.maximum(units - 1, 1)
        for arm, mean in zip(arms, means, strict=True)
    ]
    variance, tau = sum(variances) / units, 0.1
    inflated = variance + tau**2
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.sqrt(variance * inflated / tau**2 * (2 * np.log(1 / ALPHA) + np.log(inflated / variance)))
    found = (np.abs(means[1] - means[0]) > width) & (units >= MIN_OBSERVATIONS)
    assert found.any(axis=1).mean() <= ALPHA + SIMULATION_ERROR


def test_the_planned_size_finds_the_planned_effect_in_eighty_per_cent():
    planned = PlannedEffect.of_shares(0.10, 0.03)
    fixed = power.fixed_horizon_units(planned, ALPHA, 0.8)
    sequential = power.sequential_units(planned, ALPHA, 0.8)
    control, treatment = two_arms(np.random.default_rng(3), (0.10, 0.13), sequential)
    assert fixed_rejections(control, treatment)[:, fixed - 1].mean() >= 0.8 - SIMULATION_ERROR
    assert sequential_rejections(control, treatment, tau=0.03).mean() >= 0.8
    assert fixed < sequential < 3 * fixed


@pytest.mark.parametrize("share", [0.001, 0.05, 0.4])
def test_a_share_watched_all_the_time_stays_in_its_sequence(share):
    generator = np.random.default_rng(4)
    seen = np.cumsum(generator.random((EXPERIMENTS, 1500)) < share, axis=1)
    trials = np.arange(1, 1501)
    log_beta = scipy.special.betaln(1 + seen, 1 + trials - seen)
    martingale = log_beta - seen * np.log(share) - (trials - seen) * np.log(1 - share)
    left = (martingale >= math.log(1 / ALPHA)).any(axis=1)
    assert left.mean() <= ALPHA + SIMULATION_ERROR
    # What was computed with vectors is what the function says.
    for experiment in range(50):
        found = proportion_sequence.interval(int(seen[experiment, -1]), 1500, ALPHA)
        assert (found.lower <= share <= found.upper) == (martingale[experiment, -1] < math.log(1 / ALPHA))


@pytest.mark.parametrize(
    ("successes", "trials"),
    [pytest.param(0, 500, id="none"), pytest.param(500, 500, id="all"), pytest.param(3, 10, id="few")],
)
def test_a_sequence_holds_its_estimate_and_is_wider_than_one_look_needs(successes, trials):
    found = proportion_sequence.interval(successes, trials, ALPHA)
    once = scipy.stats.binomtest(successes, trials).proportion_ci(0.95)
    assert found.lower <= once.low <= successes / trials <= once.high <= found.upper


@pytest.mark.parametrize(
    ("control", "treatment"), [((40, 400), (62, 410)), ((5, 900), (17, 880)), ((9, 90), (9, 90))]
)
def test_the_fixed_test_of_shares_agrees_with_statsmodels(control, treatment):
    ours = fixed_horizon.of_proportions(Sample.of_proportion(*control), Sample.of_proportion(*treatment), ALPHA)
    _, theirs = proportions_ztest([treatment[0], control[0]], [treatment[1], control[1]])
    assert ours.p_value == pytest.approx(theirs, rel=1e-9)


def test_the_fixed_test_of_means_agrees_with_scipy():
    generator = np.random.default_rng(6)
    control, treatment = generator.exponential(3, 500), generator.exponential(3.4, 300)
    ours = fixed_horizon.of_means(Sample.of(control), Sample.of(treatment), ALPHA)
    theirs = scipy.stats.ttest_ind(treatment, control, equal_var=False)
    interval = theirs.confidence_interval(0.95)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (ours.difference.lower, ours.difference.upper) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_the_planned_size_agrees_with_statsmodels():
    planned = PlannedEffect(effect=0.2, control_variance=1, treatment_variance=1)
    theirs = statsmodels_power.NormalIndPower().solve_power(effect_size=0.2, alpha=ALPHA, power=0.8)
    assert power.fixed_horizon_units(planned, ALPHA, 0.8) == math.ceil(theirs)


def test_a_sample_ratio_agrees_with_scipy():
    ours = sample_ratio.p_value({"a": 5100, "b": 4800, "c": 100}, {"a": 50, "b": 49, "c": 1})
    theirs = scipy.stats.chisquare([5100, 4800, 100], [5000, 4900, 100]).pvalue
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_a_quantile_of_a_histogram_holds_that_of_the_values():
    generator = np.random.default_rng(7)
    bounds = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
    missed = 0
    for _ in range(200):
        values = generator.lognormal(-4, 0.7, 2000)
        counts = np.histogram(values, (0, *bounds, np.inf))[0].tolist()
        found = histogram_quantile.interval(bounds, counts, 0.99, ALPHA)
        truth = math.exp(-4 + 0.7 * scipy.stats.norm.ppf(0.99))
        # A histogram knows no more than the bucket.
        missed += not (found.lower - 0.03 <= truth <= found.upper + 0.03)
    assert missed <= 10


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: proportion_sequence.interval(0, 0, ALPHA), id="share-of-nothing"),
        pytest.param(lambda: proportion_sequence.interval(3, 2, ALPHA), id="more-than-all"),
        pytest.param(lambda: histogram_quantile.interval((1.0,), (0, 0), 0.5, ALPHA), id="quantile-of-nothing"),
        pytest.param(lambda: sample_ratio.p_value({"a": 1}, {"a": 1}), id="ratio-of-one-arm"),
        pytest.param(lambda: sample_ratio.p_value({"a": 0, "b": 0}, {"a": 1, "b": 1}), id="ratio-of-nobody"),
        pytest.param(lambda: Sample().mean, id="mean-of-nothing"),
        pytest.param(lambda: PlannedEffect(0, 1, 1), id="no-effect-to-plan-for"),
        pytest.param(lambda: PlannedEffect.of_shares(0.9, 0.2), id="share-above-one"),
    ],
)
def test_what_cannot_be_computed_is_an_error_and_not_a_number(call):
    with pytest.raises(ValueError, match=r"\w"):
        call()
