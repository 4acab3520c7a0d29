import pickle

import numpy as np
import pandas as pd
import pytest

from deployments.runtime.transformers.clipped import Clipped
from deployments.runtime.transformers.correlation_filter import CorrelationFilter
from deployments.runtime.transformers.date_parts import PARTS, DateParts
from deployments.runtime.transformers.labelled_xgboost import LabelledXGBClassifier
from deployments.runtime.transformers.words import Words


def test_outliers_are_drawn_in_to_quantiles_of_the_rows_it_was_fitted_on():
    clipped = Clipped(0.1, 0.9).fit(np.arange(101.0).reshape(-1, 1))
    given = np.array([[-5.0], [50.0], [1e9], [np.nan]])
    np.testing.assert_array_equal(clipped.transform(given), [[10.0], [50.0], [90.0], [np.nan]])


def test_a_column_without_a_number_is_not_clipped():
    rows = np.array([[np.nan, 1.0], [np.nan, 2.0]])
    np.testing.assert_array_equal(Clipped().fit(rows).transform([[7.0, 9.0]])[:, 0], [7.0])


def test_columns_that_repeat_another_or_never_change_are_left_out():
    random = np.random.default_rng(1)
    a, b = random.normal(size=(2, 200))
    rows = pd.DataFrame({"a": a, "again": -3 * a + 1, "constant": 4.0, "b": b, "nearly": b + 0.01 * a})
    rows.loc[:20, "again"] = np.nan
    kept = CorrelationFilter(0.95).fit(rows)
    assert kept.get_feature_names_out().tolist() == ["a", "b"]


def test_one_column_is_kept():
    rows = np.array([[1.0], [2.0], [3.0]])
    np.testing.assert_array_equal(CorrelationFilter().fit_transform(rows), rows)


@pytest.mark.parametrize(
    ("text", "parts", "expected"),
    [
        pytest.param("2016-02-29", ("year", "month", "day", "day_of_year"), [2016, 2, 29, 60], id="leap-day"),
        pytest.param("2026-11-21", ("weekday", "weekend", "quarter", "week"), [5, 1, 4, 47], id="saturday"),
        pytest.param("2026-01-01T00:30:00+02:00", ("year", "hour", "minute"), [2025, 22, 30], id="other-zone"),
        pytest.param("2013-01-01T10:00:00Z", ("hour",), [10], id="utc"),
        pytest.param("1970-01-02T12:00:00", ("elapsed_days",), [1.5], id="elapsed"),
    ],
)
def test_parts_of_a_date_are_those_of_utc(text, parts, expected):
    assert DateParts(parts).fit_transform(pd.DataFrame({"d": [text]})).tolist() == [expected]


@pytest.mark.parametrize("text", [None, np.nan, "", "soon", "2026-02-30", "9999-12-31T23:00:00-10:00"])
def test_what_is_no_date_has_missing_parts(text):
    found = DateParts(tuple(PARTS)).fit_transform(pd.DataFrame({"d": [text, "2026-01-01"]}, dtype=object))
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()


def test_parts_are_named_by_column_and_part():
    rows = pd.DataFrame({"from": ["2026-01-01"], "to": ["2026-01-02"]})
    fitted = DateParts(("year", "day")).fit(rows)
    assert fitted.get_feature_names_out().tolist() == ["from_year", "from_day", "to_year", "to_day"]
    assert fitted.transform(rows).tolist() == [[2026, 1, 2026, 2]]


def test_a_missing_text_has_no_words():
    rows = pd.DataFrame({"title": ["Blue Horse", None, "blue chair", np.nan]}, dtype=object)
    words = Words(min_df=1).fit(rows)
    weights = words.transform(rows).toarray()
    assert words.get_feature_names_out().tolist() == ["blue", "chair", "horse"]
    assert weights[[1, 3]].sum() == 0
    assert weights[0, 0] < weights[0, 2], "a word that many texts have says less"


def test_xgboost_takes_labels_of_any_kind_and_survives_pickling():
    random = np.random.default_rng(2)
    rows = random.normal(size=(300, 2))
    labels = np.where(rows[:, 0] > 0.3, "high", np.where(rows[:, 0] < -0.3, "low", "middle"))
    model = LabelledXGBClassifier(n_estimators=5).fit(rows, labels)
    again = pickle.loads(pickle.dumps(model))
    assert again.classes_.tolist() == ["high", "low", "middle"]
    assert (again.predict(rows) == labels).mean() > 0.95
    refitted = model.fit(rows, np.char.upper(labels))
    assert set(refitted.predict(rows)) == {"HIGH", "LOW", "MIDDLE"}
