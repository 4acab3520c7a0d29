from itertools import combinations
from math import comb

import numpy as np
import pytest

from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.wire import Columns
from deployments.runtime import columns as columnar
from deployments.runtime.explanations import sampling_shapley
from deployments.runtime.explanations.sampling_shapley import ShapleySampler

SCHEMA = FeatureSchema(
    features=(
        Feature(name="first", kind=FeatureKind.NUMBER),
        Feature(name="word", kind=FeatureKind.CATEGORY, nullable=True, categories=("a", "b")),
        Feature(name="second", kind=FeatureKind.NUMBER, nullable=True),
        Feature(name="third", kind=FeatureKind.NUMBER),
    )
)


def some_rows(count, seed=5):
    random = np.random.default_rng(seed)
    words = random.choice(["a", "b", None], count).tolist()
    return Columns(random.normal(size=(count, 3)), random.random((count, 3)) > 0.1, (words,))


def numbers_of(columns):
    return np.where(columns.valid, columns.numeric, -1.0)


def additive(columns):
    numbers = numbers_of(columns)
    words = np.array([{"a": 2.0, "b": -1.0, None: 0.5}[word] for word in columns.textual[0]])
    return (3 * numbers[:, 0] + words - numbers[:, 1])[:, np.newaxis]


def pairwise(columns):
    numbers = numbers_of(columns)
    is_a = np.array([word == "a" for word in columns.textual[0]])
    return np.column_stack([numbers[:, 0] * numbers[:, 1] + is_a * numbers[:, 2], numbers[:, 2] ** 2])


def entangled(columns):
    numbers = numbers_of(columns)
    is_a = np.array([word == "a" for word in columns.textual[0]])
    return (numbers.prod(axis=1) + is_a * np.tanh(numbers.sum(axis=1)))[:, np.newaxis]


def explained(margins, row, sample, seed=1):
    sampler = ShapleySampler.prepare(margins, sample, SCHEMA, seed)
    return sampler.base_values, sampler.explain(row, margins(row)[0])


def exact(margins, row, sample):
    """Shapley's definition: every coalition, against every background row."""
    sampler = ShapleySampler.prepare(margins, sample, SCHEMA, 0)
    count = len(SCHEMA.features)

    def worth(coalition):
        known = np.zeros((len(sample), count), dtype=bool)
        known[:, list(coalition)] = True
        return margins(sampler._blend(row, known, np.arange(len(sample)))).mean(axis=0)

    values = []
    for feature in range(count):
        others = [other for other in range(count) if other != feature]
        values.append(
            sum(
                (worth((*some, feature)) - worth(some)) / (count * comb(count - 1, size))
                for size in range(count)
                for some in combinations(others, size)
            )
        )
    return np.array(values).T


@pytest.mark.parametrize("margins", [additive, pairwise])
def test_values_are_exact_as_long_as_no_three_features_interact(margins):
    sample, row = some_rows(50), some_rows(1, seed=9)
    base, contributions = explained(margins, row, sample)
    np.testing.assert_allclose(contributions, exact(margins, row, sample), atol=1e-12)
    np.testing.assert_allclose(base, margins(sample).mean(axis=0))


def test_other_interactions_are_estimated_without_bias():
    sample, row = some_rows(64), some_rows(1, seed=102)
    estimates = np.array([explained(entangled, row, sample, seed)[1] for seed in range(100)])
    error = estimates.std(axis=0) / np.sqrt(len(estimates))
    assert (np.abs(estimates.mean(axis=0) - exact(entangled, row, sample)) < 4 * error).all()
    assert (estimates.std(axis=0) < 0.3).all()


@pytest.mark.parametrize("margins", [additive, pairwise, entangled])
def test_base_value_and_contributions_add_up_exactly(margins):
    row = some_rows(1, seed=3)
    base, contributions = explained(margins, row, some_rows(7))
    np.testing.assert_allclose(base + contributions.sum(axis=1), margins(row)[0], atol=1e-12)


def test_a_feature_that_the_model_ignores_contributes_nothing():
    _, contributions = explained(additive, some_rows(1, seed=3), some_rows(20))
    assert contributions[0, 3] == 0


def test_the_same_row_has_the_same_explanation_and_another_seed_another():
    sample, row = some_rows(40), some_rows(1, seed=3)
    first, second, other = (explained(entangled, row, sample, seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("features", [1, 2, 13, 300, 3000])
def test_the_number_of_scored_rows_is_bounded(features):
    schema = FeatureSchema(
        features=tuple(Feature(name=f"f{number}", kind=FeatureKind.NUMBER) for number in range(features))
    )
    random = np.random.default_rng(0)
    sample = Columns(random.normal(size=(100, features)), np.ones((100, features), dtype=bool))
    scored = []

    def margins(columns):
        scored.append(len(columns))
        return columns.numeric.sum(axis=1, keepdims=True)

    sampler = ShapleySampler.prepare(margins, sample, schema, 0)
    row = columnar.take(sample, [3])
    scored.clear()
    contributions = sampler.explain(row, row.numeric.sum(axis=1))
    assert sum(scored) <= max(sampling_shapley.EVALUATIONS, 2 * features)
    np.testing.assert_allclose(sampler.base_values + contributions.sum(), row.numeric.sum(), atol=1e-9)


def test_reference_rows_without_a_score_are_no_background():
    sample = some_rows(30)

    def half(columns):
        return np.where(columns.numeric[:, :1] > 0, columns.numeric[:, :1], np.nan)

    sampler = ShapleySampler.prepare(half, sample, SCHEMA, 0)
    assert np.isfinite(sampler.base_values).all()


def test_a_model_that_scores_no_reference_row_has_no_explanations():
    with pytest.raises(ValueError, match="no row of its reference sample"):
        ShapleySampler.prepare(lambda rows: np.full((len(rows), 1), np.nan), some_rows(5), SCHEMA, 0)
