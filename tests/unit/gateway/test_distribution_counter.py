import numpy as np
import pytest

from deployments.contracts.distributions import CATEGORIES_COUNTED, FeatureCounts, reference_cells
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.package import Task
from deployments.contracts.reference_profile import FeatureReference, Histogram, ReferenceProfile
from deployments.gateway.distribution_counter import COUNTED_ROWS, DistributionCounter
from deployments.gateway.row_validation import RowValidator

REFERENCE = ReferenceProfile(
    rows=100,
    features={
        "Income": FeatureReference(nulls=3, histogram=Histogram(edges=(0, 10, 20, 30), counts=(30, 30, 37))),
        "Owner": FeatureReference(nulls=0, histogram=Histogram(edges=(0, 0.5, 1), counts=(60, 40))),
        "Job": FeatureReference(nulls=0, categories={"fixed": 70, "freelance": 30}),
    },
    score=Histogram(edges=(0, 0.5, 1), counts=(50, 50)),
)


def row(income=15.0, owner=True, job="fixed"):
    return {"Income": income, "Age": 30, "Owner": owner, "Job": job}


def count(schema, *rows, scores=None, times=1):
    counter = DistributionCounter(schema, REFERENCE, Task.BINARY)
    validated = RowValidator(schema).validate(list(rows))
    values = np.tile([0.4, 0.6], (len(rows), 1)) if scores is None else np.asarray(scores)
    for _ in range(times):
        counter.add(validated, values)
    return counter.counted()


def test_numbers_are_counted_on_the_bins_of_training_whose_outer_ones_are_open(schema):
    found = count(schema, *map(row, (-5.0, 0.0, 9.9, 10.0, 19.9, 20.0, 30.0, 5000.0, None)))
    assert found.rows == 9
    assert found.features["Income"] == FeatureCounts([3, 2, 3], nulls=1, outside=2)


def test_booleans_and_categories_are_counted_and_unknown_ones_have_no_name(schema):
    found = count(schema, row(owner=True, job="fixed"), row(owner=False, job="clown"), row(job=None))
    assert found.features["Owner"].cells == [1, 2]
    assert found.features["Job"] == FeatureCounts([1, 0], nulls=1, outside=1)
    assert "clown" not in str(found.to_plain())


def test_scores_are_counted_and_rows_without_one_are_not(schema):
    scores = [[0.9, 0.1], [0.2, 0.8], [np.nan, np.nan]]
    assert count(schema, row(), row(), row(), scores=scores).score == [1, 1]


def test_a_feature_without_a_reference_is_not_counted(schema):
    assert "Age" not in count(schema, row()).features


@pytest.mark.parametrize("times", [1, COUNTED_ROWS - 1, COUNTED_ROWS, 3 * COUNTED_ROWS + 7])
def test_every_row_is_counted_once_however_many_are_counted_together(schema, times):
    found = count(schema, row(), times=times)
    assert found.rows == times
    assert found.features["Income"].cells == [0, times, 0]
    assert found.score == [0, times]


def test_categories_beyond_the_bound_share_a_cell():
    texts = [f"city {place}" for place in range(CATEGORIES_COUNTED + 50)]
    feature = FeatureReference(nulls=0, categories={text: 1000 - place for place, text in enumerate(texts)})
    schema = FeatureSchema(features=(Feature(name="City", kind=FeatureKind.CATEGORY, categories=tuple(texts)),))
    counter = DistributionCounter(schema, ReferenceProfile(rows=1000, features={"City": feature}), Task.REGRESSION)
    counter.add(RowValidator(schema).validate([{"City": text} for text in texts]), np.zeros((len(texts), 1)))
    cells = counter.counted().features["City"].cells
    assert len(cells) == len(reference_cells(feature)) == CATEGORIES_COUNTED + 1
    assert cells[-1] == 50


def test_rows_that_cannot_be_counted_harm_neither_their_callers_nor_the_next_rows(schema):
    counter = DistributionCounter(schema, REFERENCE, Task.BINARY)
    rows = RowValidator(schema).validate([row()])
    counter.add(rows, np.zeros((1, 1)))  # scores of another task
    counter.counted()
    counter.add(rows, np.array([[0.4, 0.6]]))
    assert counter.counted().score == [0, 1]
