import doctest
import importlib

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from monitoring.drift import (
    benjamini_hochberg,
    chi_square,
    jensen_shannon,
    kolmogorov_smirnov,
    psi,
    wasserstein,
)
from monitoring.errors import DistributionMismatch, EmptyDistribution

METHODS = [
    pytest.param(psi.score, id="psi"),
    pytest.param(kolmogorov_smirnov.on_bins, id="kolmogorov-smirnov"),
    pytest.param(chi_square.on_cells, id="chi-square"),
    pytest.param(jensen_shannon.distance, id="jensen-shannon"),
    pytest.param(lambda left, right: wasserstein.on_bins(range(len(left) + 1), left, right), id="wasserstein"),
]


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.mark.parametrize(
    "name",
    [
        "cells",
        "psi",
        "kolmogorov_smirnov",
        "chi_square",
        "jensen_shannon",
        "wasserstein",
        "benjamini_hochberg",
        "limits",
    ],
)
def test_the_examples_in_the_docstrings_are_true(name):
    found = doctest.testmod(importlib.import_module(f"monitoring.drift.{name}"))
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("reference", "current", "error"),
    [
        pytest.param([1, 2], [0, 0], EmptyDistribution, id="no-current-rows"),
        pytest.param([0, 0], [1, 2], EmptyDistribution, id="no-reference-rows"),
        pytest.param([1, 2], [1, 2, 3], DistributionMismatch, id="other-cells"),
    ],
)
def test_nothing_to_compare_is_an_error_and_never_no_drift(method, reference, current, error):
    with pytest.raises(error):
        method(reference, current)


@pytest.mark.parametrize("method", METHODS[:1] + METHODS[3:])
def test_a_distance_is_zero_for_equal_shares_and_grows_with_the_shift(method):
    reference = [250, 250, 250, 250]
    same, near, far = (method(reference, shifted) for shifted in ([25] * 4, [30, 25, 25, 20], [70, 20, 8, 2]))
    assert same == pytest.approx(0.0, abs=1e-3)
    assert same < near < far


def test_jensen_shannon_agrees_with_scipy(rng):
    left, right = rng.integers(0, 200, 12), rng.integers(0, 200, 12)
    expected = distance.jensenshannon(left / left.sum(), right / right.sum(), base=2)
    assert jensen_shannon.distance(left, right) == pytest.approx(expected, rel=1e-9)


def test_kolmogorov_smirnov_on_bins_of_single_values_is_scipys_on_the_values(rng):
    left, right = rng.poisson(20, 700), rng.poisson(21, 400)
    expected = stats.ks_2samp(left, right, method="asymp")
    found = kolmogorov_smirnov.on_bins(np.bincount(left, minlength=60), np.bincount(right, minlength=60))
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)


def test_kolmogorov_smirnov_on_coarse_bins_is_conservative(rng):
    left, right = rng.normal(0, 1, 900), rng.normal(0.1, 1, 900)
    edges = np.quantile(left, np.linspace(0, 1, 11))[1:-1]
    bins = [np.bincount(np.searchsorted(edges, values), minlength=10) for values in (left, right)]
    assert kolmogorov_smirnov.on_bins(*bins).p_value >= stats.ks_2samp(left, right).pvalue


def test_chi_square_agrees_with_scipy_where_no_cell_is_rare():
    table = [[120, 80, 60], [40, 50, 45]]
    expected = stats.chi2_contingency(table, correction=False)
    found = chi_square.on_cells(*table)
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue))


def test_wasserstein_on_fine_bins_is_near_that_of_the_samples(rng):
    left, right = rng.gamma(3, 2, 4000), rng.gamma(3, 2.4, 4000)
    edges = np.linspace(0, 60, 400)
    found = wasserstein.on_bins(edges, np.histogram(left, edges)[0], np.histogram(right, edges)[0])
    expected = stats.wasserstein_distance(left, right) / left.std()
    assert found == pytest.approx(expected, rel=0.01)


def test_wasserstein_sees_how_far_and_not_only_that_rows_have_moved():
    near = wasserstein.on_bins(range(5), [10, 0, 0, 0], [0, 10, 0, 0])
    far = wasserstein.on_bins(range(5), [10, 0, 0, 0], [0, 0, 0, 10])
    assert far == pytest.approx(3 * near)


def test_benjamini_hochberg_keeps_the_order_of_its_input():
    assert benjamini_hochberg.adjusted([0.9, 0.001, 0.5]) == pytest.approx((0.9, 0.003, 0.75))
    assert benjamini_hochberg.adjusted([]) == ()


@pytest.mark.parametrize("cells", [2, 10, 40])
@pytest.mark.parametrize("rows", [300, 3000])
def test_the_quantile_without_shift_is_what_a_simulation_finds(rng, cells, rows):
    trained, shares = 3000, np.full(cells, 1 / cells)
    drawn = zip(rng.multinomial(trained, shares, 4000), rng.multinomial(rows, shares, 4000), strict=True)
    simulated = np.quantile([psi.score(left, right) for left, right in drawn], 0.99)
    assert psi.quantile_without_shift(cells, trained, rows) == pytest.approx(simulated, rel=0.15)
