"""The story of a prediction, as ``raygate explain`` tells it."""

from datetime import UTC, datetime

import pytest

from ray_apps.cli.explain import account

FOUND = {
    "endpoint": "credit-risk",
    "timestamp": datetime(2026, 3, 1, 12, tzinfo=UTC),
    "caller": "shop",
    "assigned_version": "1.1.0",
    "version": "1.1.0",
    "reason": "random",
    "rule": "",
    "propensity": 0.1,
    "policy_epoch": 7,
    "experiment": "",
    "failover": "",
    "outcome": "OK",
    "latency_ms": 4.2,
    "model_ms": 0.3,
    "attempts": 1,
    "path": "compiled",
    "error": "",
    "prediction": "bad",
    "probability": 0.75,
}


@pytest.mark.parametrize(
    ("different", "said"),
    [
        pytest.param({}, "1.1.0 said bad with probability 0.7500 after 4.2 ms (compiled path", id="answered"),
        pytest.param(
            {"reason": "rule", "rule": "beta"}, "a rule took the request before the split (beta)", id="rule"
        ),
        pytest.param({"reason": "sticky"}, "the slot of its unit belongs to it; probability 0.1", id="sticky"),
        pytest.param({"experiment": "spring"}, "policy epoch 7, experiment spring.", id="experiment"),
        pytest.param(
            {"version": "1.0.0", "failover": "DEADLINE_EXCEEDED"},
            "1.1.0 could not answer (DEADLINE_EXCEEDED), so stable did.",
            id="failover",
        ),
        pytest.param({"outcome": "OVERLOADED"}, "Nothing answered: OVERLOADED after 4.2 ms.", id="nothing"),
        pytest.param({"path": ""}, "(the result cache)", id="cached"),
        pytest.param({"attempts": 3}, "3 attempts", id="repeated"),
        pytest.param({"error": "not_finite"}, "nothing for this row (not_finite)", id="no-score"),
    ],
)
def test_the_account_says_where_a_request_went_and_why(different, said):
    assert said in "\n".join(account({**FOUND, **different}))
