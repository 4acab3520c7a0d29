import numpy as np
import pytest
from sklearn import metrics

from deployments.contracts.errors import PackagingFailed
from deployments.contracts.package import Task
from training import evaluation

TRUTH = ["good", "bad", "bad", "good", "bad", "good"]
BAD = np.array([0.1, 0.9, 0.4, 0.6, 0.7, 0.2])
SCORES = np.column_stack([1 - BAD, BAD])


def test_binary_metrics_are_about_the_second_class():
    figures = evaluation.evaluate(Task.BINARY, ("good", "bad"), 0.5, TRUTH, SCORES)
    truth = [label == "bad" for label in TRUTH]
    assert figures["accuracy"] == pytest.approx(4 / 6)
    assert figures["precision"] == pytest.approx(2 / 3)
    assert figures["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, BAD))
    assert figures["brier"] == pytest.approx(metrics.brier_score_loss(truth, BAD))
    assert figures["log_loss"] == pytest.approx(metrics.log_loss(truth, BAD))


def test_the_threshold_decides_the_label():
    figures = evaluation.evaluate(Task.BINARY, ("good", "bad"), 0.3, TRUTH, SCORES)
    assert figures["recall"] == 1.0


def test_several_classes_and_values_have_metrics_too():
    several = evaluation.evaluate(Task.MULTICLASS, ("a", "b", "c"), 0.5, ["a", "b", "c"], np.eye(3))
    values = evaluation.evaluate(Task.REGRESSION, (), 0.5, [1.0, 2.0], np.array([[1.0], [4.0]]))
    assert (several["accuracy"], several["roc_auc"], several["brier"]) == (1.0, 1.0, 0.0)
    assert values["mae"] == 1.0
    assert values["rmse"] == pytest.approx(2**0.5)


def test_a_label_that_the_model_does_not_know_is_named():
    with pytest.raises(PackagingFailed, match="ugly"):
        evaluation.evaluate(Task.BINARY, ("good", "bad"), 0.5, ["ugly", "bad"], SCORES[:2])


@pytest.mark.parametrize(
    ("gates", "says"),
    [
        pytest.param({"roc_auc": 0.9}, "roc_auc .* is 0.8000, its gate wants at least 0.9", id="least"),
        pytest.param({"log_loss": 0.3}, "at most 0.3", id="most"),
        pytest.param({"rmse": 1.0}, "no such metric", id="other-task"),
    ],
)  # fmt: skip
def test_a_missed_gate_says_what_was_missed(gates, says):
    with pytest.raises(PackagingFailed, match=says):
        evaluation.check_gates("m_v1.0.0", {"roc_auc": 0.8, "log_loss": 0.5}, gates)


def test_kept_gates_pass():
    evaluation.check_gates("m_v1.0.0", {"roc_auc": 0.8, "log_loss": 0.5}, {"roc_auc": 0.8, "log_loss": 0.5})
