import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployments.contracts import duration, endpoint
from deployments.contracts.errors import InvalidDocument
from deployments.contracts.notification import Told
from deployments.contracts.rollout_plan import PauseStep, RolloutPlan, WeightStep
from deployments.contracts.verdict import Finding, OnBreach, Outcome, Verdict

ENDPOINT = """
apiVersion: raygate.io/v1alpha1
kind: ModelEndpoint
metadata: {{name: credit-risk}}
spec:
  model: credit_risk
  versions:
    - {{version: 1.0.0, role: stable}}
    - {{version: 1.1.0, role: candidate}}
  traffic: {{split: {{stable: 100}}}}
  rollout: {rollout}
"""


def plan(text):
    return endpoint.parse(ENDPOINT.format(rollout=text), "endpoint.yaml").spec.rollout


def test_a_plan_is_read_as_it_is_written():
    read = plan(
        "{steps: [{weight: 10, hold: 10m}, {weight: 50, hold: 1h30m}, {pause: approval}], "
        "analysis: {interval: 15s, minRequests: 200, checks: [{check: latency, limitSeconds: 0.25}]}}"
    )
    assert read.steps == (
        WeightStep(weight=10, hold=timedelta(minutes=10)),
        WeightStep(weight=50, hold=timedelta(minutes=90)),
        PauseStep(pause="approval"),
    )
    assert (read.analysis.interval, read.analysis.min_requests) == (timedelta(seconds=15), 200)
    assert read.analysis.checks[0].limit_seconds == 0.25


def test_without_a_word_the_limits_are_those_of_the_product():
    checks = {check.check: check for check in RolloutPlan().analysis.checks}
    assert checks["error-rate"].limit == 0.05
    assert (checks["latency"].quantile, checks["latency"].limit_seconds) == (0.99, 0.5)
    assert checks["prediction-shift"].limit == 0.3
    assert checks["quality"].limit_drop == 0.05


def test_a_plan_survives_its_way_through_the_database():
    read = plan("{steps: [{weight: 10, hold: 90s}, {pause: approval, by: anybody}], freeze: [{begins: '18:00'}]}")
    assert RolloutPlan.model_validate_json(read.model_dump_json(by_alias=True)) == read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "{steps: [{weight: 50}, {weight: 10}]}", r"weights must rise, not 50, 10", id="falling-weights"
        ),
        pytest.param(
            "{steps: [{weight: 10, hold: 5}]}", r"must be a duration such as 90s", id="hold-without-unit"
        ),
        pytest.param("{steps: [{weight: 10, hold: ten}]}", r"must be a duration such as 90s", id="hold-in-words"),
        pytest.param("{steps: []}", r"at least 1 item", id="no-step"),
        pytest.param("{analysis: {checks: [{check: vibes}]}}", r"'vibes'", id="unknown-check"),
        pytest.param("{analysis: {interval: 0s}}", r"must be at least 1s", id="no-interval"),
        pytest.param(
            "{freeze: [{begins: 18:00}]}", r"must be a quoted time", id="time-that-yaml-takes-for-a-number"
        ),
        pytest.param("{freeze: [{zone: Europe/Atlantis}]}", r"name of a time zone", id="unknown-zone"),
    ],
)
def test_a_wrong_plan_is_refused_with_its_line(text, message):
    with pytest.raises(InvalidDocument, match=message) as refused:
        plan(text)
    assert refused.value.problems[0].line == 11


@pytest.mark.parametrize("text", ["90s", "10m", "1h30m", "14d", "1d2h3m4s", "0s"])
def test_a_duration_is_written_as_it_was_read(text):
    assert duration.text(duration.parse(text)) == {"90s": "1m30s"}.get(text, text)


@pytest.mark.parametrize(
    ("moment", "frozen"),
    [
        pytest.param(datetime(2026, 11, 20, 16, 59, tzinfo=UTC), False, id="friday-before"),
        pytest.param(datetime(2026, 11, 20, 17, 0, tzinfo=UTC), True, id="friday-six-in-berlin"),
        pytest.param(datetime(2026, 11, 21, 6, 59, tzinfo=UTC), True, id="saturday-morning"),
        pytest.param(datetime(2026, 11, 21, 7, 0, tzinfo=UTC), False, id="saturday-eight-in-berlin"),
        pytest.param(datetime(2026, 11, 21, 23, 0, tzinfo=UTC), False, id="saturday-night-is-not-friday's"),
    ],
)
def test_a_freeze_over_midnight_belongs_to_the_day_on_which_it_begins(moment, frozen):
    read = plan("{freeze: [{days: [friday], begins: '18:00', ends: '08:00', zone: Europe/Berlin}]}")
    assert read.is_frozen(moment) is frozen


def finding(outcome, required=True, on_breach=OnBreach.ROLLBACK):
    return Finding(check="c", outcome=outcome, message=outcome.value, required=required, on_breach=on_breach)


@pytest.mark.parametrize(
    ("findings", "outcome"),
    [
        pytest.param(
            [finding(Outcome.HEALTHY), finding(Outcome.UNHEALTHY)], Outcome.UNHEALTHY, id="one-is-enough"
        ),
        pytest.param(
            [finding(Outcome.ERROR), finding(Outcome.UNHEALTHY)], Outcome.UNHEALTHY, id="worse-than-error"
        ),
        pytest.param([finding(Outcome.INCONCLUSIVE), finding(Outcome.ERROR)], Outcome.ERROR, id="error-is-told"),
        pytest.param([finding(Outcome.HEALTHY), finding(Outcome.INCONCLUSIVE)], Outcome.INCONCLUSIVE, id="holds"),
        pytest.param(
            [finding(Outcome.HEALTHY), finding(Outcome.INCONCLUSIVE, required=False)],
            Outcome.HEALTHY,
            id="nobody-waits-for-what-is-not-required",
        ),
        pytest.param([finding(Outcome.UNHEALTHY, required=False)], Outcome.UNHEALTHY, id="but-it-withdraws"),
        pytest.param([finding(Outcome.ERROR, required=False)], Outcome.INCONCLUSIVE, id="nothing-is-not-health"),
    ],
)
def test_the_worst_finding_is_the_verdict(findings, outcome):
    assert Verdict(findings=tuple(findings)).outcome is outcome


def test_the_plan_of_the_page_is_accepted():
    page = (Path(__file__).parents[3] / "docs" / "rollouts.md").read_text()
    (block,) = re.findall(r"```yaml\nspec:\n(.*?)```", page, re.DOTALL)
    head, _, _ = ENDPOINT.format(rollout="").partition("  versions:")
    read = endpoint.parse(head + block, "docs/rollouts.md").spec.rollout
    assert {receiver.about for receiver in read.notify} == {Told.TROUBLE, Told.EVERY_DECISION}
