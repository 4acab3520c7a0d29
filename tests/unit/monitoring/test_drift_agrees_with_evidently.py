"""Evidently is the reference implementation of many teams: their figures and ours must be comparable."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from monitoring.drift import chi_square, jensen_shannon, kolmogorov_smirnov, psi, wasserstein

LETTERS = np.array(list("abcde"))
LETTERS_OF = np.array(list("abcdefghij")).take


@pytest.fixture(scope="module")
def evidently_score():
    from evidently.legacy.calculations.stattests import registry
    from evidently.legacy.core import ColumnType

    def score(name, reference, current, numeric):
        kind = ColumnType.Numerical if numeric else ColumnType.Categorical
        test = registry.get_stattest(pd.Series(reference), pd.Series(current), kind, name)
        return test(pd.Series(reference), pd.Series(current), kind, None).drift_score

    return score


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(5)
    return rng.normal(10, 3, 3000), rng.normal(10.4, 3.3, 2000)


@pytest.fixture(scope="module")
def categories():
    rng = np.random.default_rng(6)
    return rng.choice(LETTERS, 3000, p=[0.4, 0.3, 0.15, 0.1, 0.05]), rng.choice(
        LETTERS, 2000, p=[0.3, 0.3, 0.2, 0.1, 0.1]
    )


def cells(values):
    return [int((values == letter).sum()) for letter in LETTERS]


def binned(numbers):
    """Counts on the bins that a reference profile has, and each value's bin."""
    edges = np.quantile(numbers[0], np.linspace(0, 1, 11))
    places = [np.searchsorted(edges[1:-1], values, side="right") for values in numbers]
    return edges, places, [np.bincount(place, minlength=10) for place in places]


def test_the_index_of_numbers_over_the_same_bins(evidently_score, numbers):
    _, places, counts = binned(numbers)
    assert psi.score(*counts) == pytest.approx(
        evidently_score("psi", *map(LETTERS_OF, places), numeric=False), rel=5e-3
    )


def test_kolmogorov_smirnov_over_the_same_bins(evidently_score, numbers):
    """Evidently takes the exact distribution of values of which many are equal; ours is asymptotic."""
    _, places, counts = binned(numbers)
    ours = kolmogorov_smirnov.on_bins(*counts)
    assert ours.statistic == pytest.approx(stats.ks_2samp(*places).statistic)
    assert ours.p_value == pytest.approx(evidently_score("ks", *places, numeric=True), rel=0.15)


def test_wasserstein_over_the_same_bins_is_that_of_rows_spread_evenly_in_them(evidently_score, numbers):
    edges, _, counts = binned([np.clip(values, numbers[0].min(), numbers[0].max()) for values in numbers])
    parts = np.arange(0.0005, 1, 0.001)
    spread = [
        np.concatenate(
            [
                edges[place] + (edges[place + 1] - edges[place]) * np.quantile(parts, np.linspace(0, 1, rows))
                for place, rows in enumerate(side)
            ]
        )
        for side in counts
    ]
    assert wasserstein.on_bins(edges, *counts) == pytest.approx(
        evidently_score("wasserstein", *spread, numeric=True), rel=0.01
    )


@pytest.mark.parametrize(
    ("name", "ours", "tolerance"),
    [
        # We add half a row to each cell, Evidently does not.
        pytest.param("psi", psi.score, 5e-3, id="psi"),
        # Evidently takes the natural logarithm, we take base 2: a factor under the root.
        pytest.param(
            "jensenshannon", lambda *two: jensen_shannon.distance(*two) * np.log(2) ** 0.5, 1e-9, id="js"
        ),
    ],
)
def test_distances_of_categories(evidently_score, categories, name, ours, tolerance):
    expected = evidently_score(name, *categories, numeric=False)
    assert ours(*map(cells, categories)) == pytest.approx(expected, rel=tolerance)


def test_chi_square_of_two_samples_is_less_sure_than_against_shares_thought_to_be_exact(
    evidently_score, categories
):
    """Evidently takes the reference's shares for the truth; ours knows that they were measured on 3,000 rows."""
    assert chi_square.on_cells(*map(cells, categories)).p_value >= evidently_score(
        "chisquare", *categories, numeric=False
    )
