import numpy as np
import pandas as pd
import pytest

from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument, PackagingFailed
from deployments.contracts.feature_schema import FeatureKind
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import InferencePath, Task
from training import check, data, families, fitting, served_model, version_build
from training.config import TrainingConfig
from training.errors import DataRejected

ROWS = 240
OTHERS = ("cost", "dear", "class")


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(5)
    size, price = random.normal(100, 30, ROWS).round(1), random.integers(10, 90, ROWS).astype(float)
    day = pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 365, ROWS), unit="D")
    district = random.choice(["north", "south", "east", "west"], ROWS)
    cost = size * price / 10 + np.where(district == "east", 200, 0) + np.where(day.month > 6, 50, 0)
    return pd.DataFrame(
        {
            "size": np.where(random.random(ROWS) < 0.1, np.nan, size),
            "price": price,
            "district": pd.Series(district, dtype=object).where(random.random(ROWS) > 0.05, None),
            "day": day.strftime("%Y-%m-%d"),
            "title": [f"house {'large' if s > 100 else 'small'} {n % 7}" for n, s in enumerate(size)],
            "cost": cost,
            "dear": np.where(cost > np.median(cost), "yes", "no"),
            "class": pd.qcut(cost, 3, labels=["low", "middle", "high"]).astype(object),
        }
    )


def document(file, target="cost", features="", family="lightgbm", more="", cleaning="", others=OTHERS):
    left_out = ", ".join(sorted(set(others) - {target}))
    text = f"""
model: m
source: {{kind: parquet, path: {file}}}
target: {{column: {target}}}
cleaning: {{{cleaning}}}
features: {{exclude: [{left_out}]{", " if features else ""}{features}}}
versions: [{{version: 1.0.0, family: {family}, parameters: {{{more}}}}}]
"""
    return yaml_document.read(text, "t.yaml", TrainingConfig)


@pytest.fixture(scope="module")
def file(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    table.to_parquet(path)
    return path


def subject_of(config):
    parts = data.split(data.read(config), config.split)
    return version_build.subject_of(config, config.versions[0], parts)


def served(subject):
    model = served_model.FittedModel(
        ModelVersion.parse("m_v1.0.0"),
        fitting.fit(subject, {}),
        subject.schema,
        subject.data.task,
        subject.data.classes,
        subject.family,
    )
    return served_model.choose_path(model, subject.data.train.features, subject.data.validation.features)


TARGETS = {"dear": Task.BINARY, "class": Task.MULTICLASS, "cost": Task.REGRESSION}
ONE_TASK = {"logistic_regression": ("dear", "class"), "linear_regression": ("cost",)}
WITH_PYTORCH = {"neural_network"}  # its tests are in tests/torch
MATRIX = [
    pytest.param(family, target, id=f"{family}-{TARGETS[target]}")
    for family in sorted(set(families.names()) - WITH_PYTORCH)
    for target in ONE_TASK.get(family, tuple(TARGETS))
]


@pytest.mark.parametrize(("family", "target"), MATRIX)
def test_every_family_is_served_compiled_for_every_task_it_has(file, family, target):
    few = "n_estimators: 21" if family not in ONE_TASK else ""
    plain = "columns: {day: {kind: category}, title: {kind: category}}"
    subject = subject_of(document(file, target, plain, family, few))
    assert subject.data.task is TARGETS[target]
    made = served(subject)
    assert made.path is InferencePath.COMPILED, made.parity.reason
    figures = served_model.judge(made, subject.data.test.features, subject.data.test.target).values
    assert figures["r2" if target == "cost" else "accuracy"] > 0.6


@pytest.mark.parametrize(("family", "target"), [("linear_regression", "dear"), ("logistic_regression", "cost")])
def test_a_family_that_cannot_answer_the_question_says_so_before_training(file, family, target):
    with pytest.raises(PackagingFailed, match=family):
        check.check(document(file, target, family=family))


PLAIN = "columns: {day: {kind: category}, title: {kind: category}}"


@pytest.mark.parametrize(
    ("features", "path"),
    [
        pytest.param(f"{PLAIN}, derived: {{cost_per: size / price}}", "compiled", id="formula"),
        pytest.param(f"{PLAIN}, numbers: {{clip: [0.05, 0.95], missing: mean}}", "compiled", id="clip"),
        pytest.param(f"{PLAIN}, numbers: {{missing: zero, scale: robust}}", "compiled", id="robust"),
        pytest.param(f"{PLAIN}, categories: {{encoding: ordinal}}", "compiled", id="ordinal"),
        pytest.param(f"{PLAIN}, categories: {{encoding: target}}", "compiled", id="target-encoding"),
        pytest.param(f"{PLAIN}, selection: {{correlation: 0.9}}", "compiled", id="correlation"),
        pytest.param(f"{PLAIN}, selection: {{importance: 4}}", "compiled", id="importance"),
        pytest.param(f"{PLAIN}, selection: {{pca: 3}}", "compiled", id="components"),
        pytest.param(f"{PLAIN}, categories: {{rare_below: 5}}", "native", id="rare"),
        pytest.param("columns: {day: {kind: date}, title: {kind: category}}", "native", id="date"),
        pytest.param("columns: {day: {kind: category}, title: {kind: text}}", "native", id="text"),
    ],
)
def test_plans_of_features_are_served_alike_by_either_path(file, features, path):
    subject = subject_of(document(file, "cost", features, "linear_regression"))
    made = served(subject)
    assert made.path == path, made.parity.reason
    rows = subject.data.test.features
    scores = made.scorer.predict(served_model.columnar.from_frame(rows, subject.schema))[:, 0]
    expected = made.model.estimator.predict(rows)
    np.testing.assert_allclose(scores, expected, rtol=1e-3)


EVERYTHING = (
    "numbers: {clip: [0.01, 0.99], missing: median}, categories: {encoding: target}, "
    "columns: {day: {kind: date, parts: [month, weekday]}, title: {kind: text, words: 20}}, "
    "derived: {each: size / price}, selection: {correlation: 0.95, importance: 6}"
)


def test_nothing_of_validation_and_test_rows_leaks_into_the_pipeline(file):
    """The same training rows beside quite other rows to come: the same pipeline."""
    subject = subject_of(document(file, "cost", EVERYTHING, "linear_regression"))
    parts = subject.data

    def distorted(part):
        return data.Part(
            part.features.assign(size=1e6, price=-5.0, district="moon", day="1900-01-01", title="new words"),
            part.target * 1000,
        )

    other = data.TrainingData(
        parts.task, parts.classes, parts.train, distorted(parts.validation), distorted(parts.test)
    )
    rows = parts.train.features
    ours = fitting.fit(subject, {})
    theirs = fitting.fit(fitting.Subject(**{**vars(subject), "data": other}), {})
    np.testing.assert_array_equal(ours.predict(rows), theirs.predict(rows))
    clip = ours["features"].named_transformers_["numbers"].steps[0][1]
    assert clip.high_[1] <= rows["price"].max()


def test_every_column_that_comes_out_has_a_name(file):
    fitted = fitting.fit(subject_of(document(file, "cost", EVERYTHING, "linear_regression")), {})
    names = fitted["features"].get_feature_names_out()
    assert {"each__each", "dates__day_month", "words of title__large"} <= set(names)


def test_a_date_is_a_text_to_callers(file):
    subject = subject_of(document(file, features="columns: {day: {kind: date}}"))
    kinds = {feature.name: feature.kind for feature in subject.schema.features}
    assert kinds["day"] is FeatureKind.TEXT


def test_dates_of_a_source_become_texts_if_they_are_said_to_be_dates(table, tmp_path):
    typed = tmp_path / "typed.parquet"
    table.assign(day=pd.to_datetime(table["day"])).to_parquet(typed)
    said = subject_of(document(typed, features="columns: {day: {kind: date}}"))
    assert said.data.train.features["day"].iloc[0].startswith("2026-")
    with pytest.raises(InvalidDocument, match=r"features.columns.day: holds dates; say \{kind: date\}"):
        data.read(document(typed))


@pytest.mark.parametrize(
    ("features", "says"),
    [
        pytest.param("columns: {price: {kind: category}}", "price must be a category", id="text-plan-of-numbers"),
        pytest.param("columns: {district: {kind: number}}", "district: it holds texts", id="number-plan-of-texts"),
        pytest.param("columns: {title: {kind: date}}", "title must be a date; not so in 240 rows", id="no-dates"),
        pytest.param("columns: {nope: {kind: text}}", "nope must be a column", id="no-column"),
        pytest.param("derived: {x: price / district}", "district is no number", id="formula-of-texts"),
        pytest.param("derived: {x: price / nope}", "nope is no number that", id="formula-of-nothing"),
    ],
)
def test_a_plan_that_does_not_fit_the_rows_is_refused_before_training(file, features, says):
    with pytest.raises((InvalidDocument, DataRejected), match=says):
        check.check(document(file, features=features))


@pytest.mark.parametrize(
    ("features", "says"),
    [
        pytest.param("derived: {x: __import__(1)}", "is not allowed; write numbers, columns", id="formula"),
        pytest.param("numbers: {clip: [0.9, 0.1]}", "a lower and an upper quantile", id="clip"),
        pytest.param("categories: {encoding: ordinal, rare_below: 3}", "not for ordinal", id="rare"),
        pytest.param("selection: {correlation: 1.5}", "less than 1", id="correlation"),
        pytest.param("columns: {day: {kind: date, parts: [century]}}", "'year', 'quarter'", id="date-part"),
    ],
)
def test_a_plan_that_means_nothing_is_refused(file, features, says):
    with pytest.raises(InvalidDocument, match=says):
        document(file, features=features)


@pytest.mark.parametrize(
    ("cleaning", "rows"),
    [
        pytest.param("duplicates: drop", 6, id="duplicates"),
        pytest.param("missing_target: drop", 6, id="missing-target"),
        pytest.param("duplicates: drop, missing_target: drop", 5, id="both"),
    ],
)
def test_rows_are_left_out_as_said(tmp_path, cleaning, rows):
    table = pd.DataFrame({"x": [1, 2, 3, 4, 5, 5, 7], "y": ["a", "b", "a", "b", "a", "a", None]})
    if "missing_target" not in cleaning:
        table.loc[6, "y"] = "b"
    table.to_parquet(tmp_path / "rows.parquet")
    config = document(tmp_path / "rows.parquet", target="y", cleaning=cleaning, others=())
    assert len(data.read(config).rows.target) == rows
