import pickle
import shutil

import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from deployments.contracts.errors import InvalidVersion, PackagingFailed
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import InferencePath, RiskTier, Task
from deployments.runtime import columns as columnar
from deployments.runtime.predictor import Predictor
from training.bring_your_own import BroughtModel, package_model

IDENTITY = ModelVersion.parse("churn_v1.0.0")


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "minutes": random.normal(200, 50, 400).round(3),
            "calls": random.integers(0, 9, 400),
            "plan": random.choice(["basic", "gold", "silver"], 400),
        }
    )
    frame.loc[::20, "plan"] = np.nan
    return frame


@pytest.fixture(scope="module")
def labels(rows):
    return np.where((rows["minutes"] > 210) | (rows["calls"] > 6), "leaves", "stays")


@pytest.fixture
def sample(rows, labels, tmp_path):
    file = tmp_path / "sample.parquet"
    rows.assign(churn=labels).to_parquet(file)
    return file


@pytest.fixture
def mlflow_left_as_it_was():
    """MLflow keeps addresses in the process."""
    import mlflow

    yield
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)


def a_pipeline(estimator):
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    columns = ColumnTransformer([("n", StandardScaler(), ["minutes", "calls"]), ("t", texts, ["plan"])])
    return make_pipeline(columns, estimator)


def bring(location, sample, store, **more):
    return package_model(BroughtModel(str(location), sample, IDENTITY, **{"target": "churn", **more}), store)


def scores_of(package, rows):
    return Predictor(package).predict(columnar.from_frame(rows, package.schema)).scores


@pytest.mark.parametrize("suffix", ["pkl", "joblib"])
def test_a_pickled_pipeline_is_served_compiled(rows, labels, sample, store, tmp_path, suffix):
    pipeline = a_pipeline(LogisticRegression()).fit(rows, labels)
    file = tmp_path / f"model.{suffix}"
    with file.open("wb") as out:
        (pickle if suffix == "pkl" else joblib).dump(pipeline, out)
    made = bring(file, sample, store)
    assert made.metadata.path is InferencePath.COMPILED
    assert made.metadata.classes == ("leaves", "stays")
    assert made.metadata.family == "LogisticRegression"
    assert made.metadata.metrics["accuracy"] > 0.8
    assert 0 < made.metadata.metrics["calibration_error"] < 1  # the monitor estimates quality by it
    assert [feature.name for feature in made.schema.features] == ["minutes", "calls", "plan"]
    np.testing.assert_allclose(scores_of(made, rows), pipeline.predict_proba(rows), atol=1e-5)


@pytest.mark.parametrize("regression", [False, True], ids=["classifier", "regressor"])
def test_histogram_gradient_boosting_is_served_compiled(rows, labels, sample, store, tmp_path, regression):
    estimator = (HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier)(max_iter=20)
    numbers = rows[["minutes", "calls"]].assign(minutes=rows["minutes"].where(rows["calls"] > 0))
    model = estimator.fit(numbers, rows["minutes"] if regression else labels)
    joblib.dump(model, tmp_path / "model.pkl")
    numbers.to_parquet(sample)
    made = bring(tmp_path / "model.pkl", sample, store, target=None)
    expected = model.predict(numbers)[:, None] if regression else model.predict_proba(numbers)
    assert made.metadata.path is InferencePath.COMPILED, made.metadata.parity.reason
    np.testing.assert_allclose(scores_of(made, numbers), expected, rtol=1e-4, atol=1e-4)


def test_the_positive_label_can_be_named(rows, labels, sample, store, tmp_path):
    joblib.dump(a_pipeline(LogisticRegression()).fit(rows, labels), tmp_path / "model.pkl")
    made = bring(tmp_path / "model.pkl", sample, store, positive="leaves")
    assert made.metadata.classes == ("stays", "leaves")
    with pytest.raises(PackagingFailed, match="'flies' is not one of two"):
        bring(tmp_path / "model.pkl", sample, type(store)(store.root / "other"), positive="flies")


def test_a_risk_tier_goes_with_the_model(rows, labels, sample, store, tmp_path):
    joblib.dump(a_pipeline(LogisticRegression()).fit(rows, labels), tmp_path / "model.pkl")
    assert bring(tmp_path / "model.pkl", sample, store, risk_tier=RiskTier.HIGH).metadata.risk_tier == "high"
    with pytest.raises(PackagingFailed, match="another version"):
        bring(tmp_path / "model.pkl", sample, store, risk_tier=RiskTier.LOW)


def test_a_model_without_graph_parity_is_served_natively_with_the_reason(rows, sample, store, tmp_path):
    """A forest splits between neighbours of a fine grid: float32 puts them on the other side."""
    fine = rows.assign(minutes=1 + rows["minutes"] * 1e-7)
    target = np.where(fine["minutes"].rank() % 2, "leaves", "stays")
    joblib.dump(a_pipeline(RandomForestClassifier(30, random_state=1)).fit(fine, target), tmp_path / "model.pkl")
    fine.assign(churn=target).to_parquet(sample)
    made = bring(tmp_path / "model.pkl", sample, store)
    assert made.metadata.path is InferencePath.NATIVE
    assert "differ" in made.metadata.parity.reason


@pytest.mark.parametrize("kind", ["json", "ubj", "pkl"])
def test_an_xgboost_model_is_served(rows, labels, sample, store, tmp_path, kind):
    numbers = rows[["minutes", "calls"]]
    model = xgboost.XGBClassifier(n_estimators=20).fit(numbers, (labels == "leaves").astype(int))
    file = tmp_path / f"model.{kind}"
    joblib.dump(model, file) if kind == "pkl" else model.save_model(file)
    numbers.to_parquet(sample)
    made = bring(file, sample, store, target=None)
    assert (made.metadata.classes, made.metadata.path) == ((0, 1), InferencePath.COMPILED)
    np.testing.assert_allclose(scores_of(made, numbers), model.predict_proba(numbers), atol=1e-4)


@pytest.mark.parametrize("classes", [2, 3, 0], ids=["binary", "multiclass", "regression"])
@pytest.mark.parametrize("kind", ["txt", "pkl"])
def test_a_lightgbm_model_is_served(rows, sample, store, tmp_path, kind, classes):
    numbers = rows[["minutes", "calls"]]
    if classes:
        target = pd.qcut(rows["minutes"], classes, labels=False)
        model = lightgbm.LGBMClassifier(n_estimators=20, verbosity=-1).fit(numbers, target)
    else:
        model = lightgbm.LGBMRegressor(n_estimators=20, verbosity=-1).fit(numbers, rows["minutes"] * 3.0)
    file = tmp_path / f"model.{kind}"
    joblib.dump(model, file) if kind == "pkl" else model.booster_.save_model(file)
    numbers.to_parquet(sample)
    made = bring(file, sample, store, target=None)
    expected = model.predict_proba(numbers) if classes else model.predict(numbers)[:, None]
    assert made.metadata.task is {2: Task.BINARY, 3: Task.MULTICLASS, 0: Task.REGRESSION}[classes]
    np.testing.assert_allclose(scores_of(made, numbers), expected, rtol=1e-4, atol=1e-4)


def test_pandas_categories_reach_the_native_model_as_it_knows_them(rows, labels, sample, store, tmp_path):
    frame = rows.assign(plan=rows["plan"].astype("category"))
    model = lightgbm.LGBMClassifier(n_estimators=20, verbosity=-1).fit(frame, labels)
    joblib.dump(model, tmp_path / "model.pkl")
    frame.to_parquet(sample)
    made = bring(tmp_path / "model.pkl", sample, store, target=None)
    assert made.metadata.path is InferencePath.NATIVE
    np.testing.assert_allclose(scores_of(made, frame), model.predict_proba(frame))


@pytest.mark.parametrize("flavor", ["sklearn", "xgboost", "lightgbm"])
def test_an_mlflow_model_is_served(rows, labels, sample, store, tmp_path, flavor):
    import mlflow

    numbers, encoded = rows[["minutes", "calls"]], (labels == "leaves").astype(int)
    models = {
        "sklearn": LogisticRegression(),
        "xgboost": xgboost.XGBClassifier(n_estimators=5),
        "lightgbm": lightgbm.LGBMClassifier(n_estimators=5, verbosity=-1),
    }
    model = models[flavor].fit(numbers, encoded)
    save = getattr(mlflow, flavor).save_model
    more = {"serialization_format": "cloudpickle"} if flavor == "sklearn" else {}
    save(model, tmp_path / "mlflow", pip_requirements=[], **more)
    numbers.to_parquet(sample)
    made = bring(tmp_path / "mlflow", sample, store, target=None)
    np.testing.assert_allclose(scores_of(made, numbers), model.predict_proba(numbers), atol=1e-4)


def test_an_alias_that_moved_is_another_model(
    rows, labels, sample, store, tmp_path, empty_database, monkeypatch, mlflow_left_as_it_was
):
    import mlflow

    shutil.copy(empty_database, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    client = mlflow.MlflowClient(uri, uri)
    experiment = client.create_experiment("churn", artifact_location=(tmp_path / "artifacts").as_uri())
    for strength in (1, 9):
        model = LogisticRegression(C=strength).fit(rows[["minutes", "calls"]], labels)
        options = {"pip_requirements": [], "serialization_format": "cloudpickle"}
        with mlflow.start_run(experiment_id=experiment):
            mlflow.sklearn.log_model(model, name="model", registered_model_name="x", **options)
    rows[["minutes", "calls"]].to_parquet(sample)
    client.set_registered_model_alias("x", "champion", 1)
    first = bring("models:/x@champion", sample, store, target=None)
    assert bring("models:/x@champion", sample, store, target=None).digest == first.digest
    assert bring("models:/x/1", sample, store, target=None).digest == first.digest
    client.set_registered_model_alias("x", "champion", 2)
    with pytest.raises(PackagingFailed, match="another version"):
        bring("models:/x@champion", sample, store, target=None)
    with pytest.raises(PackagingFailed, match="models:/x@nobody: cannot be fetched"):
        bring("models:/x@nobody", sample, store, target=None)


@pytest.mark.parametrize("target", ["churn", None], ids=["judged", "not-judged"])
def test_its_documents_say_what_is_known_and_what_is_not(rows, labels, sample, store, tmp_path, target):
    joblib.dump(a_pipeline(LogisticRegression(C=9)).fit(rows, labels), tmp_path / "model.pkl")
    if target is None:
        rows.to_parquet(sample)
    made = bring(tmp_path / "model.pkl", sample, store, target=target)
    card, technical = (made.read(name).decode() for name in ("model_card.md", "technical_document.md"))
    assert made.metadata.data_fingerprint in card
    assert made.metadata.code_version in technical
    for part in ("a sample of its input, not the training rows", "Which rows and which code trained it", "plan"):
        assert part in card
    for part in ("StandardScaler", "| C | 9 |", "rows of the sample held"):
        assert part in technical
    said = "which it may have been trained on" if target else "Nobody judged it"
    assert said in card
    assert "training rows alone" not in technical
    assert {"model_card.html", "technical_document.html"} <= set(made.manifest.files)


def test_a_pipeline_that_chooses_columns_in_its_own_way_has_its_documents(rows, labels, sample, store, tmp_path):
    choose = ColumnTransformer([("n", StandardScaler(), slice(0, 2))])
    joblib.dump(make_pipeline(choose, LogisticRegression()).fit(rows, labels), tmp_path / "model.pkl")
    technical = bring(tmp_path / "model.pkl", sample, store).read("technical_document.md").decode()
    assert "StandardScaler" in technical


def test_a_column_of_lists_that_the_model_does_not_take_is_no_obstacle(rows, labels, sample, store, tmp_path):
    joblib.dump(a_pipeline(LogisticRegression()).fit(rows, labels), tmp_path / "model.pkl")
    rows.assign(churn=labels, tags=[["a", "b"]] * len(rows)).to_parquet(sample)
    assert "tags" not in [feature.name for feature in bring(tmp_path / "model.pkl", sample, store).schema.features]


def test_a_regression_has_one_score_a_row(rows, sample, store, tmp_path):
    model = a_pipeline(LinearRegression()).fit(rows, rows["minutes"] * 2 + 1)
    joblib.dump(model, tmp_path / "model.pkl")
    made = bring(tmp_path / "model.pkl", sample, store, target=None)
    np.testing.assert_allclose(scores_of(made, rows)[:, 0], model.predict(rows), rtol=1e-5)


def test_a_model_without_probabilities_is_refused_with_the_remedy(rows, labels, sample, store, tmp_path):
    joblib.dump(a_pipeline(LinearSVC()).fit(rows, labels), tmp_path / "svc.pkl")
    with pytest.raises(PackagingFailed, match="CalibratedClassifierCV"):
        bring(tmp_path / "svc.pkl", sample, store)
    joblib.dump(CalibratedClassifierCV(a_pipeline(LinearSVC())).fit(rows, labels), tmp_path / "calibrated.pkl")
    assert bring(tmp_path / "calibrated.pkl", sample, store).metadata.task is Task.BINARY


def test_the_same_model_again_changes_nothing_and_another_is_refused(rows, labels, sample, store, tmp_path):
    joblib.dump(a_pipeline(LogisticRegression()).fit(rows, labels), tmp_path / "model.pkl")
    first = bring(tmp_path / "model.pkl", sample, store)
    assert bring(tmp_path / "model.pkl", sample, store).digest == first.digest
    joblib.dump(a_pipeline(LogisticRegression(C=9)).fit(rows, labels), tmp_path / "model.pkl")
    with pytest.raises(PackagingFailed, match="another version"):
        bring(tmp_path / "model.pkl", sample, store)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        pytest.param("model.h5", b"", r"\.h5 is not a known kind", id="unknown-kind"),
        pytest.param("model.pkl", b"junk", "cannot be read as a model", id="not-a-pickle"),
        pytest.param("model.pkl", pickle.dumps({"a": 1}), "has no predict", id="not-a-model"),
        pytest.param("model.json", b"{}", "cannot be read as a model", id="not-xgboost"),
        pytest.param("gone.pkl", None, "no such file", id="missing"),
    ],
)
def test_what_is_no_model_is_said(sample, store, tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(PackagingFailed, match=says):
        bring(tmp_path / name, sample, store)


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        pytest.param(lambda rows: rows.drop(columns="calls"), {}, "lacks columns .* calls", id="missing-column"),
        pytest.param(lambda rows: rows, {"target": "nope"}, "no column 'nope'", id="unknown-target"),
        pytest.param(lambda rows: rows.head(0), {}, "has no rows", id="empty"),
    ],
)
def test_a_sample_that_does_not_fit_is_said(rows, labels, sample, store, tmp_path, change, options, says):
    joblib.dump(a_pipeline(LogisticRegression()).fit(rows, labels), tmp_path / "model.pkl")
    change(rows.assign(churn=labels)).to_parquet(sample)
    with pytest.raises(PackagingFailed, match=says):
        bring(tmp_path / "model.pkl", sample, store, **options)


def test_a_target_left_in_the_sample_of_a_model_without_names_is_suspected(rows, labels, sample, store, tmp_path):
    joblib.dump(LogisticRegression().fit(rows[["minutes", "calls"]].to_numpy(), labels), tmp_path / "model.pkl")
    rows[["minutes", "calls"]].assign(y=1).to_parquet(sample)
    with pytest.raises(PackagingFailed, match="is one of them the target"):
        bring(tmp_path / "model.pkl", sample, store, target=None)


def test_a_name_that_no_pool_could_have_is_refused():
    with pytest.raises(InvalidVersion):
        ModelVersion.parse("Churn-Model_v1.0.0")
