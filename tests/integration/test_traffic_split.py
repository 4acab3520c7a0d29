"""The split as callers see it, on a running stack."""

import math
import time

import httpx


def in_force(stack):
    """Policy epoch and weights, as a gateway has them."""
    (endpoint,) = httpx.get(f"{stack.api_url}/ready").json()["endpoints"]
    return endpoint["policy_epoch"], {told["version"]: told["weight"] for told in endpoint["versions"]}


def within_binomial_bounds(seen, total, share):
    """Whether a count is within five standard deviations of what the share says."""
    return abs(seen - total * share) <= 5 * math.sqrt(total * share * (1 - share))


def test_three_thousand_callers_are_split_ninety_to_ten(load):
    outcomes = load()
    outcomes.send(3000)
    assert outcomes.failed == []
    assert within_binomial_bounds(outcomes.versions()["1.1.0"], 3000, 0.1)


def test_a_caller_with_the_sticky_header_keeps_its_version_over_all_gateways(stack, rows):
    for user in ("u1", "u2", "u3", "u4", "u5", "u6"):
        answers = {stack.predict(rows[0], headers={"x-user-id": user}).json()["model_version"] for _ in range(10)}
        assert len(answers) == 1


def test_sticky_callers_that_have_the_candidate_keep_it_when_its_weight_rises(stack, rows, split):
    def versions():
        return {
            user: stack.predict(rows[0], headers={"x-user-id": f"user-{user}"}).json()["model_version"]
            for user in range(60)
        }

    before = versions()
    split("1.0.0=50", "1.1.0=50")
    after = versions()
    assert "1.1.0" in before.values()
    assert all(after[user] == "1.1.0" for user, version in before.items() if version == "1.1.0")
    assert sum(version == "1.1.0" for version in after.values()) > sum(v == "1.1.0" for v in before.values())


def test_a_change_of_weights_under_load_fails_nobody_and_is_in_force_when_the_command_returns(load, split, stack):
    pids = {name: stack.replica_pids(name) for name in stack.applications()}
    with load() as requests:
        requests.await_answers(300)
        split("1.0.0=50", "1.1.0=50")
        changed = time.monotonic()
        requests.await_answers(1000)
    seen = requests.versions(since=changed)
    assert requests.failed == []
    assert within_binomial_bounds(seen["1.1.0"], seen.total(), 0.5)
    assert {name: stack.replica_pids(name) for name in stack.applications()} == pids


def test_a_split_that_does_not_add_up_is_refused_and_changes_nothing(stack):
    before = in_force(stack)
    refused = stack.raygate("traffic", "credit-risk", "1.0.0=50", "1.1.0=60", check=False)
    assert refused.returncode == 1
    assert "add up to 110, not to 100" in refused.stderr
    unknown = stack.raygate("traffic", "credit-risk", "1.0.0=50", "9.9.9=50", check=False)
    assert "unknown version 9.9.9; known: 1.0.0, 1.1.0" in unknown.stderr
    assert in_force(stack) == before
