"""Explanations of real packages of many kinds of model, against the scores that are served."""

import logging
import time

import numpy as np
import pandas as pd
import pytest
from lightgbm import Booster, LGBMClassifier, LGBMRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from xgboost import XGBClassifier, XGBRegressor

from deployments.contracts.explanations import MAX_EXPLAINED_ROWS, TOLERANCE, ExplanationMethod, Unexplained
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import InferencePath, Task
from deployments.contracts.wire import Columns
from deployments.runtime import columns as columnar
from deployments.runtime.boosters import LightGBMBooster
from deployments.runtime.explanations import margin
from deployments.runtime.explanations.explainer import Explainer
from deployments.runtime.model_store import ModelStore
from deployments.runtime.predictor import Predictor
from training import feature_schema, packaging, parity, served_model

LINEAR, TREES, SAMPLING = (
    ExplanationMethod.LINEAR,
    ExplanationMethod.TREE_CONTRIBUTIONS,
    ExplanationMethod.SAMPLING_SHAPLEY,
)
SMALL = {"n_estimators": 15, "n_jobs": 1}
QUIET = {**SMALL, "verbosity": -1}
NEVER = float("inf")


def target_of(rows, task):
    margins = (rows["age"] - 45) / 10 + (rows["city"] == "Bern") - rows["income"].fillna(2000) / 4000
    if task is Task.REGRESSION:
        return margins + 5
    if task is Task.BINARY:
        return pd.Series(np.where(margins > 0, "yes", "no"))
    return pd.cut(margins, [-np.inf, -1, 1, np.inf], labels=["low", "middle", "high"]).astype(str)


@pytest.fixture(scope="session")
def predictor_of(rows, pipeline_of, tmp_path_factory):
    """Package an estimator like training does, and serve it by the pipeline or by the graph."""
    store = ModelStore(tmp_path_factory.mktemp("explained"))

    def package(estimator, task, *, scales=True, classes=None, compiles=False):
        schema = feature_schema.infer(rows)
        target = target_of(rows, task)
        if isinstance(estimator, XGBClassifier):
            target = target.astype("category").cat.codes
        pipeline = pipeline_of(estimator, scales).fit(rows, target)
        if classes is None:
            classes = () if task is Task.REGRESSION else tuple(sorted(target_of(rows, task).unique()))
        number = sum(1 for _ in store.root.glob("explained/*"))
        identity = ModelVersion.parse(f"explained_v1.0.{number}")
        model = served_model.FittedModel(identity, pipeline, schema, task, classes, type(estimator).__name__)
        if compiles:
            served = served_model.choose_path(model, rows, rows)
        else:
            native = served_model.NativeModel(pipeline, schema, task, classes, rows.dtypes.to_dict())
            served = served_model.ServedModel(model, native, None, parity.not_compiled("not wanted"))
        packaged = packaging.build_package(served, store, rows, served_model.describe(served, rows, rows), None)
        return Predictor(packaged)

    return package


def explain(predictor, columns, rows=None, expires=NEVER):
    scores = predictor.predict(columns).scores
    wanted = range(len(columns)) if rows is None else rows
    return Explainer(predictor).explain(columns, list(wanted), scores, expires), scores


def by_name(predictor, explanation, output=0):
    names = [feature.name for feature in predictor.package.schema.features]
    return dict(zip(names, explanation.contributions[output], strict=True))


BINARY, MULTICLASS, REGRESSION = Task.BINARY, Task.MULTICLASS, Task.REGRESSION


@pytest.mark.parametrize(
    ("estimator", "task", "method"),
    [
        pytest.param(LogisticRegression(max_iter=500), BINARY, LINEAR, id="logistic-regression"),
        pytest.param(LogisticRegression(max_iter=500), MULTICLASS, LINEAR, id="multinomial-regression"),
        pytest.param(LinearRegression(), REGRESSION, LINEAR, id="linear-regression"),
        pytest.param(LGBMClassifier(**QUIET), BINARY, TREES, id="lightgbm"),
        pytest.param(LGBMClassifier(**QUIET), MULTICLASS, TREES, id="lightgbm-of-three"),
        pytest.param(LGBMRegressor(**QUIET), REGRESSION, TREES, id="lightgbm-regression"),
        pytest.param(XGBClassifier(**SMALL), BINARY, TREES, id="xgboost"),
        pytest.param(XGBClassifier(**SMALL), MULTICLASS, TREES, id="xgboost-of-three"),
        pytest.param(XGBRegressor(**SMALL), REGRESSION, TREES, id="xgboost-regression"),
        pytest.param(RandomForestClassifier(5, random_state=0), BINARY, SAMPLING, id="forest"),
        pytest.param(RandomForestClassifier(5, random_state=0), MULTICLASS, SAMPLING, id="forest-of-three"),
        pytest.param(RandomForestRegressor(5, random_state=0), REGRESSION, SAMPLING, id="forest-regression"),
        pytest.param(
            make_pipeline(PCA(3), LogisticRegression()), BINARY, SAMPLING, id="components-of-many-features"
        ),
        pytest.param(PoissonRegressor(), REGRESSION, SAMPLING, id="linear-under-another-link"),
        pytest.param(
            LGBMRegressor(objective="poisson", **QUIET), REGRESSION, SAMPLING, id="trees-under-another-link"
        ),
        pytest.param(
            LGBMClassifier(objective="multiclassova", **QUIET), MULTICLASS, SAMPLING, id="one-against-all"
        ),
        pytest.param(
            CalibratedClassifierCV(SVC(kernel="linear"), ensemble=False), BINARY, SAMPLING, id="calibrated"
        ),
    ],
)
def test_base_value_and_contributions_give_the_served_score_through_the_link(
    predictor_of, rows, estimator, task, method
):
    predictor = predictor_of(estimator, task)
    columns = columnar.from_frame(rows.tail(6), predictor.package.schema)
    explanations, scores = explain(predictor, columns)
    assert (list(explanations.explained), explanations.unexplained) == (list(range(6)), {})
    margins = np.array(
        [found.base_values + found.contributions.sum(axis=1) for found in explanations.explained.values()]
    )
    allowed = TOLERANCE * (np.ptp(scores) if task is REGRESSION else 1)
    if task is MULTICLASS:
        scores = scores / scores.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(margin.to_scores(margins, task), scores, atol=allowed)
    assert {found.method for found in explanations.explained.values()} == {method}
    assert explanations.explained[0].contributions.shape == (3 if task is MULTICLASS else 1, 5)


@pytest.mark.parametrize("classes", [("no", "yes"), ("yes", "no")], ids=["library-order", "turned-around"])
@pytest.mark.parametrize(
    "estimator", [LogisticRegression(), LGBMClassifier(**QUIET), RandomForestClassifier(5, random_state=0)]
)
def test_contributions_speak_for_the_second_class_whatever_the_library_calls_it(
    predictor_of, rows, estimator, classes
):
    predictor = predictor_of(estimator, BINARY, classes=classes)
    old = columnar.from_frame(rows.assign(age=79).head(3), predictor.package.schema)  # the old say yes
    explanations, _ = explain(predictor, old)
    signs = {np.sign(by_name(predictor, found)["age"]) for found in explanations.explained.values()}
    assert signs == {1.0 if classes[1] == "yes" else -1.0}


@pytest.mark.parametrize("estimator", [LogisticRegression(), LGBMClassifier(**QUIET)], ids=["linear", "trees"])
def test_the_compiled_graphs_score_is_explained_too(predictor_of, rows, estimator):
    predictor = predictor_of(estimator, BINARY, compiles=True)
    assert predictor.path is InferencePath.COMPILED
    columns = columnar.from_frame(rows.head(10), predictor.package.schema)
    explanations, _ = explain(predictor, columns)
    assert len(explanations.explained) == 10
    assert explanations.explained[0].method != SAMPLING


def test_a_linear_model_is_explained_by_coefficient_and_distance_from_the_mean(predictor_of, rows):
    predictor = predictor_of(LinearRegression(), REGRESSION)
    pipeline = predictor.native.estimator
    encoded = pd.DataFrame(pipeline[:-1].transform(rows), columns=pipeline[:-1].get_feature_names_out())
    parts = (encoded - encoded.mean()) * pipeline[-1].coef_
    explanations, _ = explain(predictor, columnar.from_frame(rows.head(5), predictor.package.schema))
    for row, found in explanations.explained.items():
        for name, value in by_name(predictor, found).items():
            own = [column for column in parts if name in column]
            assert value == pytest.approx(parts.loc[row, own].sum())


def test_the_columns_of_a_category_are_summed_into_its_feature(predictor_of, rows):
    predictor = predictor_of(LGBMClassifier(**QUIET), BINARY, scales=False)
    pipeline = predictor.native.estimator
    names = pipeline[:-1].get_feature_names_out()
    told = pipeline[-1].booster_.predict(pipeline[:-1].transform(rows.head(5)), pred_contrib=True)
    explanations, _ = explain(predictor, columnar.from_frame(rows.head(5), predictor.package.schema))
    for row, found in explanations.explained.items():
        for name, value in by_name(predictor, found).items():
            own = [position for position, column in enumerate(names) if name in column]
            assert value == pytest.approx(told[row, own].sum())


class Tempered(LogisticRegression):
    """Has coefficients, and probabilities of another steepness."""

    def predict_proba(self, rows):
        margins = self.decision_function(rows) / 2
        return margin.to_scores(margins[:, np.newaxis], BINARY)


def test_an_own_method_of_wrong_steepness_is_not_believed_even_where_both_are_certain(predictor_of, rows):
    predictor = predictor_of(Tempered(), BINARY)
    certain = rows.head(2).assign(age=10_000)
    explanations, scores = explain(predictor, columnar.from_frame(certain, predictor.package.schema))
    assert (scores.max(axis=1) > 1 - TOLERANCE / 10).all()
    assert {found.method for found in explanations.explained.values()} == {SAMPLING}


def test_nulls_and_unseen_categories_are_explained(predictor_of, rows):
    predictor = predictor_of(LogisticRegression(), BINARY)
    odd = rows.head(3).assign(city=[None, "Atlantis", "Bern"], income=[np.nan, 1e9, 0.0])
    explanations, _ = explain(predictor, columnar.from_frame(odd, predictor.package.schema))
    assert len(explanations.explained) == 3


def test_a_booster_without_its_wrapper_explains_itself(predictor_of, rows, tmp_path):
    numbers = rows[["age", "income"]]
    trained = LGBMClassifier(**QUIET).fit(numbers, target_of(rows, BINARY) == "yes")
    trained.booster_.save_model(tmp_path / "model.txt")
    estimator = LightGBMBooster(Booster(model_file=tmp_path / "model.txt"))
    schema = feature_schema.infer(numbers)
    native = served_model.NativeModel(estimator, schema, BINARY, (0, 1), numbers.dtypes.to_dict())
    identity = ModelVersion.parse("bare_v1.0.0")
    model = served_model.FittedModel(identity, estimator, schema, BINARY, (0, 1), "booster")
    served = served_model.ServedModel(model, native, None, parity.not_compiled("not wanted"))
    reference = served_model.describe(served, numbers, numbers)
    packaged = packaging.build_package(served, ModelStore(tmp_path / "store"), numbers, reference, None)
    explanations, _ = explain(Predictor(packaged), columnar.from_frame(numbers.head(4), schema))
    assert {found.method for found in explanations.explained.values()} == {TREES}


@pytest.fixture
def logistic(packaged):
    return Predictor(packaged)


def test_equal_rows_have_equal_explanations_in_every_replica(predictor_of, rows):
    predictor = predictor_of(RandomForestClassifier(5, random_state=0), BINARY)
    columns = columnar.from_frame(rows.head(2), predictor.package.schema)
    first, _ = explain(predictor, columns)
    again, _ = explain(Predictor(predictor.package), columnar.take(columns, [1]))
    np.testing.assert_array_equal(first.explained[1].contributions, again.explained[0].contributions)


def test_only_rows_that_ask_are_explained(logistic, rows):
    columns = columnar.from_frame(rows.head(10), logistic.package.schema)
    explanations, _ = explain(logistic, columns, [7, 2, 7, 99, -1])
    assert list(explanations.explained) == [7, 2]
    assert explanations.unexplained == {}


def test_rows_beyond_the_limit_are_told_so(logistic, rows):
    columns = columnar.from_frame(rows, logistic.package.schema)
    explanations, _ = explain(logistic, columns)
    assert len(explanations.explained) == MAX_EXPLAINED_ROWS
    assert set(explanations.unexplained.values()) == {Unexplained.TOO_MANY_ROWS}


def test_a_row_without_a_score_has_nothing_to_explain(logistic, rows):
    columns = columnar.from_frame(rows.head(3), logistic.package.schema)
    scores = logistic.predict(columns).scores.copy()
    scores[1] = np.nan
    explanations = Explainer(logistic).explain(columns, [0, 1, 2], scores, NEVER)
    assert explanations.unexplained == {1: Unexplained.NO_SCORE}
    assert list(explanations.explained) == [0, 2]


def test_sampling_stops_when_nobody_waits_any_more(predictor_of, rows):
    predictor = predictor_of(RandomForestClassifier(5, random_state=0), BINARY)
    columns = columnar.from_frame(rows.head(3), predictor.package.schema)
    explanations, _ = explain(predictor, columns, expires=time.perf_counter() - 1)
    assert explanations.unexplained == dict.fromkeys(range(3), Unexplained.OUT_OF_TIME)


def test_an_own_explanation_that_misses_the_score_is_replaced_by_a_sampled_one(logistic, rows):
    columns = columnar.from_frame(rows.head(3), logistic.package.schema)
    scores = logistic.predict(columns).scores.copy()
    scores[1] = [0.999, 0.001] if scores[1, 0] < 0.5 else [0.001, 0.999]
    explanations = Explainer(logistic).explain(columns, [0, 1, 2], scores, NEVER)
    methods = [explanations.explained[row].method for row in range(3)]
    assert methods == [LINEAR, SAMPLING, LINEAR]


def test_a_pipeline_that_cannot_be_loaded_is_sampled_through_the_graph(logistic, rows, caplog):
    (logistic.package.directory / "model.pkl").unlink()
    columns = columnar.from_frame(rows.head(2), logistic.package.schema)
    with caplog.at_level(logging.WARNING):
        explanations, _ = explain(logistic, columns)
    assert {found.method for found in explanations.explained.values()} == {SAMPLING}
    assert "PackageRejected" in caplog.text


def test_a_model_that_fails_between_the_row_and_the_background_says_so(logistic, rows):
    columns = columnar.from_frame(rows.head(1), logistic.package.schema)
    explainer, scores = Explainer(logistic), logistic.predict(columns).scores
    explainer._own = None
    explainer._sampler  # noqa: B018 -- prepared while the model still works

    class Broken:
        def predict(self, columns: Columns):
            raise ValueError("never")

    logistic._scorer = Broken()
    explanations = explainer.explain(columns, [0], scores, NEVER)
    assert explanations.unexplained == {0: Unexplained.MODEL_ERROR}
