"""Evidently is the reference implementation of many teams: their figures and ours must be comparable."""

import numpy as np
import pandas as pd
import pytest

from monitoring.drift import chi_square, jensen_shannon, kolmogorov_smirnov, psi, wasserstein

LETTERS = np.array(list("abcde"))


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


def test_tests_and_distances_of_numbers(evidently_score, numbers):
    assert kolmogorov_smirnov.on_samples(*numbers).p_value == pytest.approx(
        evidently_score("ks", *numbers, numeric=True), rel=0.05
    )
    assert wasserstein.on_samples(*numbers) == pytest.approx(
        evidently_score("wasserstein", *numbers, numeric=True), rel=1e-9
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
