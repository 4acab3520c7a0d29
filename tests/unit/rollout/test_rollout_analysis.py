import pytest
from rollout_examples import counted

from deployments.contracts.metric_names import LATENCY_BUCKETS_SECONDS
from deployments.contracts.rollout_checks import (
    BusinessValueCheck,
    ErrorRateCheck,
    LatencyCheck,
    PredictionShiftCheck,
    QualityCheck,
    ShadowDisagreementCheck,
)
from deployments.contracts.rollout_plan import Analysis
from deployments.contracts.snapshot import VersionCounts
from deployments.contracts.verdict import Outcome
from deployments.gateway.problems import Code
from deployments.rollout.analysis import error_rate, verdicts
from deployments.rollout.analysis.window import Observed, Window
from deployments.rollout.statistics.sample import Sample

HEALTHY, UNHEALTHY = Outcome.HEALTHY, Outcome.UNHEALTHY
INCONCLUSIVE, ERROR = Outcome.INCONCLUSIVE, Outcome.ERROR


def judged(check, candidate, stable=None):
    """What one check alone finds, of 100 requests at least."""
    if isinstance(candidate, VersionCounts):
        candidate = Observed(candidate)
    stable = Observed(counted(5000)) if stable is None else stable
    stable = Observed(stable) if isinstance(stable, VersionCounts) else stable
    (found,) = verdicts.judge(Analysis(min_requests=100, checks=(check,)), Window(candidate, stable)).findings
    return found


@pytest.mark.parametrize(
    ("candidate", "outcome"),
    [
        pytest.param(counted(1000, failed=5), HEALTHY, id="few-errors"),
        pytest.param(counted(1000, failed=100), UNHEALTHY, id="ten-per-cent"),
        pytest.param(counted(20, failed=15), UNHEALTHY, id="surely-bad-on-thin-traffic"),
        pytest.param(counted(99), INCONCLUSIVE, id="too-little-traffic"),
        pytest.param(counted(200, failed=12), INCONCLUSIVE, id="over-the-limit-perhaps-by-chance"),
        pytest.param(counted(1000, failed=500, code="VALIDATION_ERROR"), HEALTHY, id="callers-own-errors"),
        pytest.param(VersionCounts(), INCONCLUSIVE, id="nothing"),
    ],
)
def test_error_rate(candidate, outcome):
    assert judged(ErrorRateCheck(check="error-rate"), candidate).outcome is outcome


def test_rows_that_fail_inside_successful_requests_count():
    counts = counted(1000)
    counts.row_errors = {"MODEL_ERROR": 200}
    assert judged(ErrorRateCheck(check="error-rate"), counts).outcome is UNHEALTHY


@pytest.mark.parametrize(
    ("failed", "outcome"), [pytest.param(60, UNHEALTHY, id="worse"), pytest.param(2, HEALTHY, id="the-same")]
)
def test_error_rate_against_stable(failed, outcome):
    check = ErrorRateCheck(check="error-rate", limit=0.5, limit_over_stable=0.01)
    found = judged(check, counted(1500, failed=failed), counted(20_000, failed=20))
    assert found.outcome is outcome
    assert found.evidence["requests_over_stable"] == pytest.approx(failed / 1500 - 0.001)


def test_every_code_of_the_gateway_is_either_the_versions_fault_or_not():
    assert {Code(code) for code in error_rate.VERSION_FAULTS} == {
        Code.UNSCORABLE_ROW,
        Code.MODEL_ERROR,
        Code.OVERLOADED,
        Code.MODEL_UNAVAILABLE,
        Code.DEADLINE_EXCEEDED,
        Code.INTERNAL_ERROR,
    }


@pytest.mark.parametrize(
    ("candidate", "outcome"),
    [
        pytest.param(counted(1000), HEALTHY, id="fast"),
        pytest.param(counted(100, slow=100), UNHEALTHY, id="six-hundred-milliseconds"),
        pytest.param(counted(1000, slow=60), UNHEALTHY, id="six-per-cent-are-slow"),
        pytest.param(counted(1000, slow=5), HEALTHY, id="half-a-per-cent-is-slow"),
        pytest.param(counted(1000, slow=13), INCONCLUSIVE, id="perhaps-by-chance"),
        pytest.param(counted(50), INCONCLUSIVE, id="too-little-traffic"),
    ],
)
def test_latency(candidate, outcome):
    found = judged(LatencyCheck(check="latency"), candidate)
    assert found.outcome is outcome


def test_latency_against_stable():
    check = LatencyCheck(check="latency", limit_seconds=10, limit_times_stable=1.5)
    slower = counted(1000)
    slower.latency_counts = [0] * (len(LATENCY_BUCKETS_SECONDS) + 1)
    slower.latency_counts[LATENCY_BUCKETS_SECONDS.index(0.05)] = 1000
    assert judged(check, slower).outcome is UNHEALTHY
    assert judged(check, counted(1000)).outcome is HEALTHY


@pytest.mark.parametrize(
    ("labels", "outcome"),
    [
        pytest.param({"good": 690, "bad": 310}, HEALTHY, id="the-same"),
        pytest.param({"good": 200, "bad": 800}, UNHEALTHY, id="another-world"),
        pytest.param({"good": 1000}, UNHEALTHY, id="always-the-same-answer"),
        pytest.param({"good": 10, "bad": 40}, INCONCLUSIVE, id="too-little-to-tell"),
    ],
)
def test_prediction_shift(labels, outcome):
    candidate = counted(sum(labels.values()), labels=labels)
    assert judged(PredictionShiftCheck(check="prediction-shift"), candidate).outcome is outcome


def test_the_stability_index_is_that_of_the_textbook():
    found = judged(
        PredictionShiftCheck(check="prediction-shift"),
        counted(100_000, labels={"good": 50_000, "bad": 50_000}),
        counted(100_000, labels={"good": 70_000, "bad": 30_000}),
    )
    # (0.5 - 0.7) ln(0.5 / 0.7) + (0.5 - 0.3) ln(0.5 / 0.3)
    assert found.evidence["index"] == pytest.approx(0.1694596, abs=1e-4)
    assert 0.14 < found.evidence["index_at_least"] < found.evidence["index"]


def labelled(correct, labels):
    return Observed(counted(1000), labels=Sample.of_proportion(correct, labels))


@pytest.mark.parametrize(
    ("candidate", "outcome"),
    [
        pytest.param(labelled(900, 1000), HEALTHY, id="as-good"),
        pytest.param(labelled(700, 1000), UNHEALTHY, id="twenty-per-cent-worse"),
        pytest.param(labelled(840, 1000), INCONCLUSIVE, id="perhaps-by-chance"),
        pytest.param(labelled(40, 45), INCONCLUSIVE, id="few-labels"),
        pytest.param(Observed(counted(1000)), ERROR, id="nobody-can-tell"),
    ],
)
def test_quality_on_labels(candidate, outcome):
    assert judged(QualityCheck(check="quality"), candidate, labelled(1800, 2000)).outcome is outcome


@pytest.mark.parametrize(
    ("mean", "outcome"),
    [pytest.param(10.1, HEALTHY, id="as-much"), pytest.param(8.0, UNHEALTHY, id="a-fifth-less")],
)
def test_business_value(mean, outcome):
    stable = Observed(counted(1000), values=Sample.of([9.0, 11.0] * 500))
    candidate = Observed(counted(1000), values=Sample.of([mean - 1, mean + 1] * 400))
    assert judged(BusinessValueCheck(check="business-value"), candidate, stable).outcome is outcome


@pytest.mark.parametrize(
    ("copies", "disagreements", "outcome"),
    [(1000, 10, HEALTHY), (1000, 100, UNHEALTHY), (100, 1, INCONCLUSIVE), (0, 0, INCONCLUSIVE)],
)
def test_shadow_disagreement(copies, disagreements, outcome):
    candidate = VersionCounts(shadow_rows=copies, shadow_disagreements=disagreements)
    assert judged(ShadowDisagreementCheck(check="shadow-disagreement"), candidate).outcome is outcome


def test_a_finding_says_its_figures_in_words():
    found = judged(ErrorRateCheck(check="error-rate"), counted(1000, failed=100))
    assert "100 of 1000 requests failed, surely more than 6.74%" in found.message
    assert "limit 5.00%" in found.message
