from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from experiment_examples import NOON, STICKY, A, B, C, arm, design, wanted_endpoint
from pydantic import ValidationError
from typer.testing import CliRunner

from deployments.contracts.experiment import ExperimentOutcome
from deployments.rollout.control_database import Decision
from deployments.rollout.endpoint_store import EndpointStore
from deployments.rollout.errors import ExperimentNotPossible, NoExperiment
from deployments.rollout.experiment_reading import Arm, planned_units, read
from deployments.rollout.experiments import ExperimentStore, begin, policy_of
from deployments.rollout.statistics.sample import Sample
from ray_apps.cli.experiment import app
from ray_apps.experiment_control import arms_in


@pytest.mark.parametrize(
    ("control", "treatment", "over", "outcome", "winner"),
    [
        pytest.param((1000, 10_000), (1300, 10_000), False, ExperimentOutcome.WINNER, B, id="better"),
        pytest.param((1300, 10_000), (1000, 10_000), False, ExperimentOutcome.CONTROL_WINS, A, id="worse"),
        pytest.param((100, 1000), (110, 1000), False, ExperimentOutcome.RUNNING, None, id="not-shown-yet"),
        pytest.param((1000, 10_000), (1005, 10_000), True, ExperimentOutcome.NO_WINNER, None, id="time-is-up"),
        pytest.param((1, 10), (9, 10), False, ExperimentOutcome.RUNNING, None, id="ten-units-say-nothing"),
    ],
)
def test_a_sequential_experiment_is_read_at_any_time(control, treatment, over, outcome, winner):
    found = read(design(), {A: arm(*control), B: arm(*treatment)}, is_over=over)
    assert (found.outcome, found.winner) == (outcome, winner)


def test_units_that_are_not_divided_as_planned_stop_the_reading():
    found = read(design(), {A: arm(1000, 10_000), B: arm(1800, 10_600)}, is_over=False)
    assert (found.outcome, found.winner, found.comparisons) == (ExperimentOutcome.MISMATCH, None, ())
    assert "nothing of it can be read" in found.reason


def test_an_unequal_split_is_no_mismatch_if_it_was_planned():
    found = read(design(), {A: arm(900, 9000, share=90), B: arm(100, 1000, share=10)}, is_over=False)
    assert found.outcome is ExperimentOutcome.RUNNING


def test_a_fixed_test_is_not_read_before_its_planned_size():
    fixed = design(test="fixed")
    early = read(fixed, {A: arm(100, 1000), B: arm(200, 1000)}, is_over=False)
    assert (early.outcome, early.comparisons) == (ExperimentOutcome.RUNNING, ())
    units = planned_units(fixed)
    late = read(fixed, {A: arm(units // 10, units), B: arm(units // 8, units)}, is_over=False)
    assert (late.outcome, late.winner) == (ExperimentOutcome.WINNER, B)


def test_a_treatment_that_fails_requests_breaks_the_guardrail_however_well_it_converts():
    found = read(design(), {A: arm(1000, 10_000), B: arm(2000, 10_000, failed=800)}, is_over=False)
    assert found.outcome is ExperimentOutcome.GUARDRAIL
    assert "1.1.0 fails more requests than 1.0.0" in found.reason


def test_of_several_better_treatments_the_best_wins():
    arms = {A: arm(1000, 10_000, 34), B: arm(1300, 10_000, 34), C: arm(1500, 10_000, 34)}
    found = read(design(treatments=(B, C)), arms, is_over=False)
    assert (found.outcome, found.winner, len(found.comparisons)) == (ExperimentOutcome.WINNER, C, 2)


def test_revenue_per_user_is_compared_by_its_mean():
    generator = np.random.default_rng(8)
    worth = design(metric="value", baseline=10.0, deviation=12.0, effect=1.0)
    arms = {
        A: Arm(50, Sample.of(generator.exponential(10, 8000))),
        B: Arm(50, Sample.of(generator.exponential(11.5, 8000))),
    }
    found = read(worth, arms, is_over=False)
    assert (found.outcome, found.winner) == (ExperimentOutcome.WINNER, B)
    assert found.comparisons[0].lower < 1.5 < found.comparisons[0].upper


def test_more_comparisons_need_more_units_and_sequential_ones_more_than_fixed_ones():
    assert planned_units(design(test="fixed")) == 3839
    assert planned_units(design(test="fixed", treatments=(B, C))) > 3839
    assert planned_units(design()) > 3839


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"treatments": (A,)}, "none of them control", id="control-as-treatment"),
        pytest.param({"treatments": (B, B)}, "each must be another version", id="twice"),
        pytest.param({"metric": "value"}, "deviation is required", id="value-without-deviation"),
        pytest.param({"baseline": 1.2}, "must be between 0 and 1", id="share-above-one"),
        pytest.param({"effect": 0}, "greater than 0", id="no-effect"),
    ],
)
def test_a_design_that_makes_no_sense_is_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        design(**fields)


def test_an_experiment_takes_two_weeks_unless_it_says_otherwise():
    assert design().duration == timedelta(days=14)
    assert design().confidence == 0.95


def logged(version, unit, prediction_id, outcome="OK", experiment="e", stage="live"):
    return {
        "prediction_id": prediction_id,
        "stage": stage,
        "unit": unit,
        "assigned_version": version,
        "experiment": experiment,
        "outcome": outcome,
    }


def test_a_unit_is_one_observation_however_often_it_asked():
    running = begin(wanted_endpoint(STICKY), design(), "e", "ann", NOON)
    predictions = [
        logged("1.0.0", "u1", "p1"),
        logged("1.0.0", "u1", "p2"),
        logged("1.1.0", "u2", "p3"),
        logged("1.1.0", "u3", "p4", outcome="MODEL_ERROR"),
        logged("1.1.0", None, "p5"),
        logged("1.1.0", "u4", "p6", experiment="another"),
        logged("1.1.0", "u5", "p7", stage="shadow"),
    ]
    feedback = [{"prediction_id": "p2", "value": 3.0}, {"prediction_id": "p1", "value": 0.0}]
    arms = arms_in(running, pa.Table.from_pylist(predictions), pa.Table.from_pylist(feedback))
    assert (arms[A].outcomes, arms[A].requests) == (Sample.of([1.0]), 2)
    assert (arms[B].outcomes, arms[B].failed, arms[B].requests) == (Sample.of([0.0, 0.0]), 1, 3)
    worth = running.model_copy(update={"design": design(metric="value", deviation=1.0)})
    assert (
        arms_in(worth, pa.Table.from_pylist(predictions), pa.Table.from_pylist(feedback))[A].outcomes.total == 3.0
    )


def test_an_experiment_shuffles_the_units_and_gives_back_the_weights_of_before():
    wanted = wanted_endpoint(STICKY)
    running = begin(wanted, design(), "e", "ann", NOON)
    during = policy_of(wanted, running, 2)
    assert (dict(during.policy.slots), during.policy.experiment) == ({A: 5000, B: 5000}, "e")
    assert during.policy.salt != wanted.policy.salt
    after = policy_of(during, running.model_copy(update={"stopped": NOON}), 3)
    assert after.policy == wanted.policy.model_copy(update={"policy_epoch": 3})


@pytest.mark.parametrize(
    ("traffic", "message"),
    [
        pytest.param("split: {stable: 100}", "stickyBy must say what a unit is", id="no-unit"),
        pytest.param(STICKY + ", experiment: mine", "mine owns its weights", id="another-one-runs"),
    ],
)
def test_an_experiment_that_cannot_be_read_does_not_start(traffic, message):
    with pytest.raises(ExperimentNotPossible, match=message):
        begin(wanted_endpoint(traffic), design(), "e", "ann", NOON)


def test_an_experiment_is_written_with_its_policy(tmp_path):
    wanted = wanted_endpoint(STICKY)
    file = tmp_path / "endpoints.db"
    store = ExperimentStore(file)
    with pytest.raises(NoExperiment):
        store.latest("credit-risk")
    running = begin(wanted, design(), "e", "ann", NOON)
    store.write(running, policy_of(wanted, running, 2), Decision(NOON, "credit-risk", "experiment started", 2, {}))
    assert store.latest("credit-risk") == running
    assert EndpointStore(file).endpoints()["credit-risk"].policy.experiment == "e"
    assert (running.is_over(NOON), running.is_over(NOON + timedelta(days=14))) == (False, True)


def test_the_plan_says_units_and_days():
    done = CliRunner().invoke(app, ["plan", "--baseline", "0.1", "--effect", "0.02", "--units-per-day", "1000"])
    assert done.exit_code == 0
    assert "3839" in done.stdout
    assert "7.7" in done.stdout
