import pytest

from deployments.pool_scaling import BACKLOG_LIMIT_ROWS, decide


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
