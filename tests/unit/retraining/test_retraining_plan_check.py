"""A plan that could not work is refused when it is applied."""

import pytest
from retraining_examples import QUALITY, STABLE, plan

from deployments.contracts.package import ModelMetadata, Task
from ray_apps.retraining import plan_check
from training.config import TrainingConfig


def config(**changes):
    fields = {
        "model": STABLE.model,
        "source": {"kind": "parquet", "path": "first.parquet"},
        "target": {"column": "bad", "task": "classification"},
        "versions": [{"version": "1.0.0", "family": "lightgbm"}],
    }
    return TrainingConfig.model_validate({**fields, **changes})


def champion(task=Task.BINARY, **changes):
    fields = {"model": STABLE.model, "version": STABLE.version, "task": task}
    return ModelMetadata.model_construct(**fields, **changes)


def found(retraining=None, training=None, served=None):
    wanted = retraining or plan(QUALITY)
    return [str(one) for one in plan_check.problems(wanted, training or config(), served or champion())]


def quality(metric):
    return {"quality": {"metric": metric}}


def test_one_that_fits_has_no_problem():
    assert found() == []
    by_time = config(split={"by_time": "asked"}, features={"include": ["asked", "Income"]})
    assert found(training=by_time) == []
    one_window = plan({"drift": {"critical": 1, "of": 1, "every": "1m"}})
    assert found(one_window) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param({"training": config(model="churn")}, "training: training.yaml trains churn", id="model"),
        pytest.param(
            {"retraining": plan(recipe="2.0.0")},
            "recipe: 2.0.0 is not in training.yaml; it has 1.0.0",
            id="recipe",
        ),
        pytest.param(
            {"training": config(split={"by_time": "asked"}, features={"exclude": ["asked"]})},
            "splits by_time asked, which is no feature",
            id="time-is-excluded",
        ),
        pytest.param(
            {"training": config(split={"by_time": "asked"}, features={"include": ["Income"]})},
            "splits by_time asked, which is no feature",
            id="time-is-not-included",
        ),
        pytest.param(
            {"retraining": plan({"drift": {"critical": 2, "of": 3, "every": "15m"}})},
            "triggers.drift.every: 15m is shorter than the monitor's window of 1h",
            id="windows-that-share-rows",
        ),
        pytest.param({"training": config(distributed=True)}, "training.yaml says distributed", id="distributed"),
        pytest.param(
            {"retraining": plan(quality("log_loss"))},
            "triggers.quality.metric: log_loss is not measured of a binary; the monitor measures accuracy",
            id="the-monitor-does-not-measure-it",
        ),
        pytest.param(
            {"retraining": plan(challenge={"metric": "rmse"})},
            "challenge.metric: rmse is no metric of a binary; known: accuracy",
            id="metric-of-another-task",
        ),
        pytest.param(
            {"served": champion(Task.REGRESSION, targets=("width",)), "retraining": plan(quality("rmse"))},
            "challenge.metric: roc_auc is no metric of a regression; known: mae, mse, r2, rmse, mae.width",
            id="metric-of-labels",
        ),
    ],
)
def test_each_problem_names_field_value_and_what_would_be_right(arguments, told):
    [problem] = found(**arguments)
    assert told in problem
