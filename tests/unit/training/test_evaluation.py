import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from deployments.contracts.errors import PackagingFailed
from deployments.contracts.package import Task
from training import bootstrap, custom_metric, decision, evaluation, evaluation_report, gates
from training.decision import Decision
from training.errors import GateMissed
from training.evaluation_report import EvaluationReport
from training.figure import Figure

TRUTH = ["good", "bad", "bad", "good", "bad", "good"]
BAD = np.array([0.1, 0.9, 0.4, 0.6, 0.7, 0.2])
SCORES = np.column_stack([1 - BAD, BAD])
CLASSES = ("good", "bad")


def test_binary_metrics_are_about_the_second_class():
    figures = evaluation.evaluate(Task.BINARY, CLASSES, 0.5, TRUTH, SCORES)
    truth = [label == "bad" for label in TRUTH]
    assert figures["accuracy"] == pytest.approx(4 / 6)
    assert figures["precision"] == pytest.approx(2 / 3)
    assert figures["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, BAD))
    assert figures["brier"] == pytest.approx(metrics.brier_score_loss(truth, BAD))
    assert figures["log_loss"] == pytest.approx(metrics.log_loss(truth, BAD))


@pytest.mark.parametrize(
    ("kept", "error"), [pytest.param(True, 0.0, id="kept-its-word"), pytest.param(False, 0.25, id="too-sure")]
)
def test_the_calibration_error_is_how_far_promises_are_from_what_came(kept, error):
    random = np.random.default_rng(1)
    promised = random.random(20_000)
    came = (random.random(20_000) < (promised if kept else 0.5)).astype(int)
    binary = evaluation_report.build(Task.BINARY, (0, 1), 0.5, came, np.column_stack([1 - promised, promised]))
    assert binary.calibration_error == pytest.approx(error, abs=0.02)


def test_of_several_classes_the_calibration_of_the_winning_score_counts():
    random = np.random.default_rng(1)
    won = random.uniform(0.5, 1, 20_000)
    scores = np.column_stack([(1 - won) / 2, won, (1 - won) / 2])
    truth = (random.random(20_000) < won - 0.2).astype(int)
    report = evaluation_report.build(Task.MULTICLASS, (0, 1, 2), 0.5, truth, scores)
    assert report.calibration_error == pytest.approx(0.2, abs=0.02)
    assert report.calibration == ()


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(1, 3)), min_size=2, max_size=40))
def test_roc_auc_is_that_of_the_textbook_with_ties_and_weights(rows):
    truth, score, weight = (np.array(column) for column in zip(*rows, strict=True))
    got = evaluation.roc_auc(truth, score / 5, weight[None, :].astype(float))[0] if truth.any() else np.nan
    if truth.all() or not truth.any():
        assert np.isnan(got)
    else:
        assert got == pytest.approx(metrics.roc_auc_score(truth, score, sample_weight=weight))


def test_several_classes_are_averaged():
    random = np.random.default_rng(1)
    scores, truth = random.dirichlet([1, 1, 1], 50), random.integers(0, 3, 50)
    figures = evaluation.evaluate(Task.MULTICLASS, (0, 1, 2), 0.5, truth, scores)
    returned = scores.argmax(axis=1)
    expected = metrics.precision_recall_fscore_support(truth, returned, average="macro")
    assert [figures[name] for name in ("precision", "recall", "f1")] == pytest.approx(list(expected[:3]))
    assert figures["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, scores, multi_class="ovr"))
    assert figures["log_loss"] == pytest.approx(metrics.log_loss(truth, scores))


def test_quantities_have_their_metrics():
    truth, values = np.array([1e6 + 1, 1e6 + 2, 1e6 + 4]), np.array([[1e6 + 1], [1e6 + 4], [1e6 + 4]])
    figures = evaluation.evaluate(Task.REGRESSION, (), 0.5, truth, values)
    assert figures["mae"] == pytest.approx(2 / 3)
    assert (figures["mse"], figures["rmse"]) == pytest.approx((4 / 3, (4 / 3) ** 0.5))
    assert figures["r2"] == pytest.approx(metrics.r2_score(truth, values[:, 0]))


def test_the_threshold_decides_the_label():
    figures = evaluation.evaluate(Task.BINARY, CLASSES, 0.3, TRUTH, SCORES)
    assert figures["recall"] == 1.0
    counts = evaluation.confusion(CLASSES, 0.3, TRUTH, SCORES)
    assert counts.tolist() == [[2, 1], [0, 3]]


def test_a_label_that_the_model_does_not_know_is_named():
    with pytest.raises(PackagingFailed, match="ugly"):
        evaluation.evaluate(Task.BINARY, CLASSES, 0.5, ["ugly", "bad"], SCORES[:2])


def noisy(rows, seed):
    random = np.random.default_rng(seed)
    score = random.random(rows)
    truth = np.where(random.random(rows) < score, "bad", "good")
    return truth, np.column_stack([1 - score, score])


def test_an_interval_holds_the_true_value_about_as_often_as_it_says():
    """Over 120 samples of 150 rows of a known model: accuracy of a uniform score is 3/4, its AUC 5/6."""
    held = {"accuracy": 0, "roc_auc": 0}
    for seed in range(120):
        ends = bootstrap.intervals(Task.BINARY, CLASSES, 0.5, *noisy(150, seed), resamples=200)
        for name, value in (("accuracy", 3 / 4), ("roc_auc", 5 / 6)):
            held[name] += ends[name][0] <= value <= ends[name][1]
    assert all(105 <= count <= 119 for count in held.values()), held


def test_intervals_are_those_of_a_seed_and_shrink_with_more_rows():
    few, many = (bootstrap.intervals(Task.BINARY, CLASSES, 0.5, *noisy(rows, 3)) for rows in (100, 3000))
    assert few == bootstrap.intervals(Task.BINARY, CLASSES, 0.5, *noisy(100, 3))
    assert all(many[name][1] - many[name][0] < few[name][1] - few[name][0] for name in few)


def test_a_report_tells_confusion_calibration_and_threshold():
    truth, scores = noisy(2000, 5)
    report = evaluation_report.build(Task.BINARY, CLASSES, 0.4, truth, scores, threshold_reason="given")
    assert sum(sum(row) for row in report.confusion) == report.rows == 2000
    assert (report.threshold, report.threshold_reason) == (0.4, "given")
    assert len(report.calibration) == 10
    assert all(abs(one.predicted - one.observed) < 0.1 for one in report.calibration)
    again = EvaluationReport.model_validate_json(report.model_dump_json())
    assert again == report


COSTS = Decision(false_positive=1, false_negative=5)


def test_the_threshold_follows_what_mistakes_cost():
    truth, scores = noisy(4000, 7)
    positive = truth == "bad"
    threshold, reason = decision.cheapest(positive, scores[:, 1], COSTS)
    assert threshold == pytest.approx(1 / 6, abs=0.06), "where a calibrated score has it"
    paid = decision.cost(positive, scores[:, 1] >= threshold, COSTS)
    for other in np.linspace(0.01, 0.99, 99):
        assert paid <= decision.cost(positive, scores[:, 1] >= other, COSTS) + 1e-12
    assert f"{paid:.4g} a row" in reason


@pytest.mark.parametrize(
    ("said", "says"),
    [
        pytest.param({"false_positive": 1}, "go together", id="half"),
        pytest.param({"threshold": 0.4, "false_positive": 1, "false_negative": 2}, "not both", id="both"),
        pytest.param({"threshold": 1.0}, "less than 1", id="never"),
    ],
)
def test_a_decision_that_says_too_little_or_too_much_is_refused(said, says):
    with pytest.raises(ValueError, match=says):
        Decision(**said)


REPORT = EvaluationReport(
    rows=10,
    metrics={
        "roc_auc": Figure(value=0.8, low=0.75, high=0.85),
        "log_loss": Figure(value=0.5, low=0.4, high=0.6),
        "profit": Figure(value=3.0, low=1.0, high=5.0),
    },
)


def checked(**limits):
    gates.check("m_v1.0.0", REPORT, {name: gates.Gate.model_validate(limit) for name, limit in limits.items()})


@pytest.mark.parametrize(
    ("name", "limit", "says"),
    [
        pytest.param("roc_auc", {"limit": 0.9}, "is 0.8000, its gate wants at least 0.9", id="least"),
        pytest.param("log_loss", {"limit": 0.3}, "is 0.5000, its gate wants at most 0.3", id="most"),
        pytest.param("profit", {"limit": 4}, "is 3.0000", id="own-metric"),
        pytest.param("rmse", {"limit": 1.0}, "there is no such metric", id="other-task"),
        pytest.param("roc_auc", {"limit": 0.78, "confident": True}, "0.8000, .* at least 0.7500", id="low-end"),
        pytest.param("log_loss", {"limit": 0.55, "confident": True}, "0.5000, .* at most 0.6000", id="high-end"),
    ],
)
def test_a_missed_gate_says_what_was_missed(name, limit, says):
    with pytest.raises(GateMissed, match=says):
        checked(**{name: limit})


def test_every_missed_gate_is_told():
    with pytest.raises(GateMissed, match=r"m_v1.0.0: roc_auc .*; log_loss"):
        checked(roc_auc={"limit": 0.9}, log_loss={"limit": 0.1})


def test_kept_gates_pass():
    checked(roc_auc={"limit": 0.8}, log_loss={"limit": 0.5}, profit={"limit": 1, "confident": True})


def savings(truth, returned, scores):
    return float(((truth == "bad") & (returned == "bad")).sum()) - 0.2 * float((returned == "bad").sum())


def broken(truth, returned, scores):
    return 1 / 0


def boundless(truth, returned, scores):
    return float("inf")


def test_a_metric_of_ones_own_sees_labels_and_scores():
    found = custom_metric.figure(savings, Task.BINARY, CLASSES, 0.5, TRUTH, SCORES)
    assert found.value == pytest.approx(2 - 0.2 * 3)
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize(("metric", "says"), [(broken, "ZeroDivisionError"), (boundless, "no finite number")])
def test_a_metric_that_fails_is_named(metric, says):
    with pytest.raises(PackagingFailed, match=rf"metric {metric.__name__}: .*{says}"):
        custom_metric.figure(metric, Task.BINARY, CLASSES, 0.5, TRUTH, SCORES)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        pytest.param("no.such.module:f", "No module named", id="module"),
        pytest.param("math:nope", "no attribute", id="function"),
        pytest.param("math:pi", "is float, not a function", id="no-function"),
    ],
)
def test_an_import_path_that_leads_nowhere_is_named(path, says):
    with pytest.raises(PackagingFailed, match=says):
        custom_metric.load(path)
    assert custom_metric.load("math:floor")(1.5) == 1
