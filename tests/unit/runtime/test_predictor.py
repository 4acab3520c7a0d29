import numpy as np
import pytest

from deployments.contracts.package import InferencePath
from deployments.contracts.wire import Columns
from deployments.runtime import columns as columnar
from deployments.runtime.predictor import MODEL_ERROR, NOT_FINITE, Predictor


@pytest.fixture
def some_rows(rows, packaged):
    return columnar.from_frame(rows.head(20), packaged.schema)


class Touchy:
    """Scores 0.5; raises for a batch with a negative number, is not finite for one above 1000."""

    calls = 0

    def predict(self, columns: Columns):
        self.calls += 1
        if (columns.numeric[:, 0] < 0).any():
            raise ValueError("negative")
        scores = np.full((len(columns), 2), 0.5)
        scores[columns.numeric[:, 0] > 1000] = np.inf
        return scores


def spoilt(columns, row, value):
    numeric = columns.numeric.copy()
    numeric[row, 0] = value
    return Columns(numeric, columns.valid, columns.textual)


def test_both_paths_give_the_pipelines_probabilities_in_the_order_of_the_classes(rows, fitted, packaged):
    expected = fitted.estimator.predict_proba(rows)[:, [1, 0]]  # the package says yes, no; scikit-learn no, yes
    columns = columnar.from_frame(rows, packaged.schema)
    for path in InferencePath:
        scored = Predictor(packaged, path).predict(columns)
        np.testing.assert_allclose(scored.scores, expected, atol=1e-6)
        assert (scored.path, scored.errors) == (path, {})


def test_the_frozen_path_is_taken_unless_told_otherwise(packaged):
    assert Predictor(packaged).path is packaged.metadata.path is InferencePath.COMPILED


def test_warming_up_scores_the_sample(packaged):
    Predictor(packaged).warm()


def test_no_rows_give_no_scores(rows, packaged):
    scored = Predictor(packaged).predict(columnar.from_frame(rows.head(0), packaged.schema))
    assert scored.scores.shape == (0, 2)
    assert scored.errors == {}


@pytest.mark.parametrize("path", list(InferencePath))
def test_a_number_beyond_float32_still_has_a_score(packaged, some_rows, path):
    scored = Predictor(packaged, path).predict(spoilt(some_rows, 4, 1e300))
    assert scored.errors == {}
    assert np.isfinite(scored.scores).all()


def test_a_row_that_raises_fails_alone(packaged, some_rows):
    predictor = Predictor(packaged)
    predictor._scorer = Touchy()
    scored = predictor.predict(spoilt(some_rows, 13, -1.0))
    assert scored.errors == {13: MODEL_ERROR}
    assert np.isnan(scored.scores[13]).all()
    assert (np.delete(scored.scores, 13, axis=0) == 0.5).all()


def test_finding_one_bad_row_among_many_takes_few_calls(packaged, some_rows):
    predictor = Predictor(packaged)
    predictor._scorer = touchy = Touchy()
    predictor.predict(spoilt(some_rows, 13, -1.0))
    assert touchy.calls <= 2 + 2 * 5  # all, all again, then two halves a level


def test_a_row_that_is_not_finite_gets_the_native_score(packaged, some_rows):
    predictor = Predictor(packaged)
    predictor._scorer = Touchy()
    bad = spoilt(some_rows, 2, 2000.0)
    scored = predictor.predict(bad)
    native = Predictor(packaged, InferencePath.NATIVE).predict(bad)
    assert scored.errors == {}
    np.testing.assert_array_equal(scored.scores[2], native.scores[2])


def test_a_row_that_no_path_can_score_says_so(packaged, some_rows):
    predictor = Predictor(packaged, InferencePath.NATIVE)
    predictor._scorer = Touchy()
    scored = predictor.predict(spoilt(some_rows, 2, 2000.0))
    assert scored.errors == {2: NOT_FINITE}
    assert np.isnan(scored.scores[2]).all()
