"""XGBoost on rows that come a page at a time from the disk."""

import pickle

import numpy as np
import pytest
from xgboost import XGBRegressor

from deployments.runtime.transformers.labelled_xgboost import LabelledXGBClassifier
from training.distributed import pages, shard
from training.distributed.shard import ROWS, TARGET

LABELS = np.array(["bad", "fair", "good"])
SETTINGS = {"n_estimators": 12, "max_depth": 3, "n_jobs": 1, "tree_method": "hist", "random_state": 1}


@pytest.fixture(scope="module")
def numbers():
    draw = np.random.default_rng(5)
    rows = draw.normal(size=(1_000, 4)).astype(np.float32)
    return rows, rows[:, 0] * 2 + rows[:, 1] + draw.normal(scale=0.1, size=1_000)


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr(pages, "ROWS", 96)


def shard_of(rows, target, directory):
    return shard.write([{ROWS: rows, TARGET: target}], directory)


def test_labels_are_fitted_as_in_memory(numbers, small_pages, tmp_path):
    rows, quantity = numbers
    positions = np.digitize(quantity, [-1, 1])
    paged = LabelledXGBClassifier(**SETTINGS)
    pages.fit(paged, shard_of(rows, positions, tmp_path), LABELS, None, tmp_path / "pages")
    whole = LabelledXGBClassifier(**SETTINGS).fit(rows, LABELS[positions])
    assert paged.classes_.tolist() == whole.classes_.tolist()
    np.testing.assert_allclose(paged.predict_proba(rows), whole.predict_proba(rows), atol=0.02)
    assert (paged.predict(rows) == whole.predict(rows)).mean() > 0.99


def test_a_quantity_is_fitted_as_in_memory(numbers, small_pages, tmp_path):
    rows, quantity = numbers
    paged = pages.fit(XGBRegressor(**SETTINGS), shard_of(rows, quantity, tmp_path), None, None, tmp_path / "pages")
    whole = XGBRegressor(**SETTINGS).fit(rows, quantity)
    np.testing.assert_allclose(paged.predict(rows), whole.predict(rows), atol=0.15)


def test_a_row_without_weight_counts_for_nothing(numbers, small_pages, tmp_path):
    rows, quantity = numbers
    with_noise = np.concatenate([rows, rows]), np.concatenate([quantity, quantity + 1e6])
    weights = np.repeat([1.0, 0.0], len(rows))
    paged = pages.fit(XGBRegressor(**SETTINGS), shard_of(*with_noise, tmp_path), None, weights, tmp_path / "pages")
    assert abs(paged.predict(rows) - quantity).max() < 10


def test_what_was_fitted_needs_no_pages_any_more(numbers, small_pages, tmp_path):
    rows, quantity = numbers
    paged = pages.fit(XGBRegressor(**SETTINGS), shard_of(rows, quantity, tmp_path), None, None, tmp_path / "pages")
    assert {file.name for file in tmp_path.iterdir()} == {ROWS, TARGET}
    read_back = pickle.loads(pickle.dumps(paged))
    np.testing.assert_array_equal(read_back.predict(rows), paged.predict(rows))
    assert read_back.fit(rows, quantity).score(rows, quantity) > 0.9
