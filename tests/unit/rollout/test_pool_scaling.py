from types import SimpleNamespace

import pytest

from deployments.pool_scaling import BACKLOG_LIMIT_ROWS, decide, desired_replicas


@pytest.mark.parametrize(
    ("figures", "current", "replicas"),
    [
        pytest.param({}, 3, 3, id="silence-keeps-what-was-asked-for"),
        pytest.param({"busy": {"a": 0.0, "b": 0.0}}, 2, 1, id="idle-shrinks-to-one"),
        pytest.param({"busy": {"a": 0.7, "b": 0.7}}, 2, 2, id="at-the-target-stays"),
        pytest.param({"busy": {"a": 1.0, "b": 1.0}}, 2, 3, id="saturated-grows"),
        pytest.param({"busy": {"a": 0.4}, "target": {"a": 0.2}}, 1, 2, id="the-target-is-the-owners"),
        pytest.param(
            {"busy": {"a": 0.1}, "backlog": {"a": BACKLOG_LIMIT_ROWS + 1}}, 1, 2, id="backlog-grows-by-one"
        ),
        pytest.param(
            {"busy": {"a": 0.1, "b": 0.1}, "backlog": {"a": BACKLOG_LIMIT_ROWS + 1}},
            2,
            2,
            id="backlog-never-shrinks",
        ),
    ],
)
def test_a_pool_follows_its_work(figures, current, replicas):
    assert decide(figures, current, target=current) == replicas


@pytest.mark.parametrize(
    ("figures", "replicas"),
    [
        pytest.param({"busy": {"a": 0.0}, "backlog": {"a": 0}}, 0, id="nobody-asks"),
        pytest.param({"busy": {"a": 1e-9}}, 1, id="one-row-of-a-fast-model-is-somebody"),
        pytest.param({"busy": {"a": 0.0}, "backlog": {"a": 1}}, 1, id="a-row-waits"),
        pytest.param({}, 1, id="silence-is-not-idleness"),
    ],
)
def test_a_pool_that_may_sleep_does_so_when_nobody_asks(figures, replicas):
    assert decide(figures, current=1, target=1, may_sleep=True) == replicas


@pytest.mark.parametrize(
    ("least", "replicas"),
    [pytest.param(0, 0, id="its-owner-lets-it"), pytest.param(1, 1, id="it-must-be-there")],
)
def test_the_lower_bound_in_force_says_whether_a_pool_may_sleep(least, replicas):
    context = SimpleNamespace(
        aggregated_metrics={"busy": {"a": 0.0}},
        current_num_replicas=1,
        target_num_replicas=1,
        capacity_adjusted_min_replicas=least,
    )
    assert desired_replicas(context) == (replicas, {})
