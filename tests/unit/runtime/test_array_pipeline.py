"""A pipeline on plain arrays gives the scores that it gives on a data frame."""

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from xgboost import XGBRegressor

from deployments.contracts.package import Task
from deployments.runtime import columns as columnar
from deployments.runtime import edge_rows
from deployments.runtime.arrays import transformers
from deployments.runtime.native import NativeModel
from deployments.runtime.transformers.clipped import Clipped
from deployments.runtime.transformers.correlation_filter import CorrelationFilter
from deployments.runtime.transformers.date_parts import PARTS, DateParts
from deployments.runtime.transformers.formula import Formula
from deployments.runtime.transformers.labelled_xgboost import LabelledXGBClassifier
from deployments.runtime.transformers.missing_category import MissingCategory
from deployments.runtime.transformers.words import Words
from training import feature_schema

ROWS = 80
NUMBERS = ["size", "price", "rooms", "sold"]
FORMULA_COLUMNS = ["price", "rooms", "size"]
ONE_HOT = make_pipeline(MissingCategory(), OneHotEncoder(handle_unknown="ignore", sparse_output=False))


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(3)
    day = pd.Timestamp("2025-06-01") + pd.to_timedelta(random.integers(0, 500, ROWS), unit="D")
    sizes = random.choice(["Large", "small", "small small"], ROWS)
    return pd.DataFrame(
        {
            "size": np.where(random.random(ROWS) < 0.1, np.nan, random.normal(100, 30, ROWS)),
            "district": pd.Series(random.choice(["north", "Süd", "east"], ROWS), dtype=object),
            "price": random.integers(10, 90, ROWS),
            "day": pd.Series(day.strftime("%Y-%m-%dT%H:%M"), dtype=object).where(random.random(ROWS) > 0.1, None),
            "title": pd.Series([f"{a} house, {n % 7}th" for n, a in enumerate(sizes)], dtype=object),
            "kind": pd.Series(random.choice(["a", "b", "c", "d", "rare"], ROWS, p=[0.4, 0.3, 0.2, 0.09, 0.01])),
            "sold": random.random(ROWS) > 0.5,
            "rooms": random.integers(1, 9, ROWS).astype(np.float64),
        }
    ).assign(kind=lambda frame: frame["kind"].where(random.random(ROWS) > 0.1, None).astype(object))


def cost(rows):
    return (rows["price"] * rows["rooms"] + rows["size"].fillna(50) + 40 * (rows["kind"] == "a")).to_numpy()


def native(pipeline, rows, task=Task.REGRESSION):
    target = cost(rows)
    if task is not Task.REGRESSION:
        names = {Task.BINARY: ["cheap", "dear"], Task.MULTICLASS: ["cheap", "middle", "very dear"]}[task]
        target = np.array(names, dtype=object)[
            np.digitize(target, np.quantile(target, [0.5, 0.8])[: len(names) - 1])
        ]
    pipeline.fit(rows, target)
    classes = () if task is Task.REGRESSION else tuple(sorted(set(target), reverse=True))
    schema = feature_schema.infer(rows)
    return NativeModel(pipeline, schema, task, classes, {str(n): d for n, d in rows.dtypes.items()})


def compared(model, rows):
    schema = feature_schema.infer(rows)
    columns = edge_rows.beside(columnar.from_frame(rows, schema), schema)
    before = model.predict(columns)
    hastened = model.hasten(columns)
    some = range(0, len(columns), 9)
    singly = np.concatenate([model.predict(columnar.take(columns, [row])) for row in some])
    np.testing.assert_allclose(model.predict(columns), before, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(singly, before[some], rtol=1e-9, atol=1e-9)
    return hastened


BRANCHES = {
    "nothing": ("passthrough", NUMBERS),
    "imputed-and-scaled": (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
    "robust": (make_pipeline(SimpleImputer(strategy="median"), RobustScaler()), NUMBERS),
    "min-max": (make_pipeline(SimpleImputer(strategy="constant", fill_value=0.0), MinMaxScaler()), NUMBERS),
    "clipped": (make_pipeline(Clipped(0.1, 0.9), SimpleImputer()), NUMBERS),
    "formula": (make_pipeline(Formula("x", "price / (rooms - 4) + size"), SimpleImputer()), FORMULA_COLUMNS),
    "one-hot": (ONE_HOT, ["kind", "district"]),
    "rare": (
        make_pipeline(
            MissingCategory(),
            OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=0.05, sparse_output=False),
        ),
        ["kind", "district"],
    ),
    "ordinal": (
        make_pipeline(
            MissingCategory(), OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        ),
        ["district", "kind"],
    ),
    "target": (make_pipeline(MissingCategory(), TargetEncoder(cv=KFold(3))), ["kind", "district"]),
    "most-frequent": (
        make_pipeline(
            SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        ),
        ["kind", "title"],
    ),
    "dates": (make_pipeline(DateParts(tuple(PARTS)), SimpleImputer()), ["day"]),
    "words": (Words(sublinear_tf=True, ngram_range=(1, 2)), ["title"]),
    "counts-of-words": (Words(use_idf=False, norm="l1", binary=True), ["title"]),
    "step-that-is-unknown": (make_pipeline(SimpleImputer(), RBFSampler(n_components=5, random_state=1)), NUMBERS),
}  # fmt: skip


@pytest.mark.parametrize("branch", BRANCHES)
def test_every_transformer_does_to_arrays_what_it_does_to_frames(rows, branch):
    columns = ColumnTransformer(
        [("it", *BRANCHES[branch]), ("rest", SimpleImputer(), ["rooms"])], sparse_threshold=0
    )
    assert compared(native(make_pipeline(columns, SimpleImputer(), Ridge()), rows), rows)


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(CorrelationFilter(0.2), id="correlation"),
        pytest.param(PCA(3), id="components"),
        pytest.param("passthrough", id="nothing"),
    ],
)
def test_steps_after_the_columns_are_taken_too(rows, later):
    columns = ColumnTransformer([("n", SimpleImputer(), NUMBERS), ("c", ONE_HOT, ["kind"])])
    assert compared(native(make_pipeline(columns, later, LinearRegression()), rows), rows)


QUANTITY = [Task.REGRESSION]
LABELS = [Task.BINARY, Task.MULTICLASS]
ESTIMATORS = [
    pytest.param(estimator, task, id=f"{type(estimator).__name__}-{task.value}")
    for estimator, tasks in [
        (LogisticRegression(max_iter=50), LABELS),
        (RandomForestClassifier(9, random_state=1), LABELS),
        (LGBMClassifier(n_estimators=9, n_jobs=1, verbosity=-1), LABELS),
        (LabelledXGBClassifier(n_estimators=9, n_jobs=1), LABELS),
        (RandomForestRegressor(9, random_state=1), QUANTITY),
        (LGBMRegressor(n_estimators=9, n_jobs=1, verbosity=-1), QUANTITY),
        (XGBRegressor(n_estimators=9, n_jobs=1), QUANTITY),
    ]
    for task in tasks
]


@pytest.mark.parametrize(("estimator", "task"), ESTIMATORS)
def test_every_estimator_scores_arrays_as_frames_in_the_order_of_the_classes(rows, estimator, task):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer([("n", numbers, NUMBERS), ("c", ONE_HOT, ["kind"])])
    assert compared(native(make_pipeline(columns, estimator), rows, task), rows)


def no_names(frame):
    return frame.to_numpy(dtype=np.float64, na_value=0.0)


def test_a_first_step_that_is_not_known_may_want_a_frame_and_gets_it(rows):
    pipeline = make_pipeline(ColumnTransformer([("n", FunctionTransformer(no_names), NUMBERS)]), Ridge())
    assert not compared(native(pipeline, rows), rows)


def test_arrays_that_give_other_scores_are_not_used(rows, monkeypatch):
    monkeypatch.setitem(transformers._KNOWN, StandardScaler, lambda scaler: lambda block: block / scaler.scale_)
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    model = native(make_pipeline(ColumnTransformer([("n", numbers, NUMBERS)]), Ridge()), rows)
    assert not compared(model, rows)


def test_numbers_that_training_had_in_single_precision_stay_on_frames(rows):
    single = rows.astype({"size": np.float32})
    model = native(make_pipeline(ColumnTransformer([("n", SimpleImputer(), NUMBERS)]), Ridge()), single)
    assert not compared(model, single)


def test_a_pipeline_that_refuses_unknown_categories_is_left_as_it_is(rows):
    strict = OneHotEncoder(sparse_output=False)
    model = native(make_pipeline(ColumnTransformer([("c", strict, ["district"])]), Ridge()), rows)
    columns = edge_rows.build(columnar.from_frame(rows, feature_schema.infer(rows)), feature_schema.infer(rows))
    assert not model.hasten(columns)
