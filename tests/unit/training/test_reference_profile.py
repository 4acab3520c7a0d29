import numpy as np
import pytest

from deployments.contracts.package import Task
from training import reference_profile


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.arange(1000.0), id="spread"),
        pytest.param(np.zeros(10), id="constant"),
        pytest.param(np.array([0.0] * 99 + [5.0]), id="nearly-constant"),
        pytest.param(np.array([0.0, 5.0] * 50), id="two-values"),
        pytest.param(np.array([-3.5]), id="single"),
        pytest.param(np.array([-1e300, 0.0, 1e300]), id="huge"),
    ],
)
def test_every_value_is_counted_on_increasing_edges(values):
    histogram = reference_profile.histogram(values)
    assert sum(histogram.counts) == len(values)
    assert len(histogram.edges) == len(histogram.counts) + 1 >= 3
    assert (np.diff(histogram.edges) > 0).all()


def test_bins_hold_equal_shares_where_values_allow():
    assert reference_profile.histogram(np.arange(1000.0)).counts == (100,) * 10


def test_a_profile_describes_rows_and_scores(credit, credit_schema):
    scores = np.column_stack([np.linspace(1, 0, 50), np.linspace(0, 1, 50)])
    profile = reference_profile.build(
        credit.train.features, credit_schema, Task.BINARY, ("good", "bad"), 0.5, scores
    )
    rows = credit.train.features
    assert profile.rows == len(rows)
    assert profile.features["Income"].nulls == rows["Income"].isna().sum() > 0
    assert profile.features["Home"].categories == rows["Home"].value_counts().to_dict()
    assert profile.labels == {"good": 25, "bad": 25}
    assert sum(profile.score.counts) == 50
