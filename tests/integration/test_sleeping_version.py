"""A version that sleeps while nobody asks for it, on a running stack."""

import os
import signal
import time

import httpx
import pytest
from waiting import wait_until

BETA = {"x-cohort": "beta"}
PATIENCE_SECONDS = 60.0


class SleepingVersion:
    """The third version of the example's endpoint: a rule leads to it, and it sleeps after ten seconds."""

    def __init__(self, stack, version, row):
        self.stack, self.version, self.row = stack, version, row

    @property
    def application(self):
        return f"credit_risk_v{self.version}"

    def is_asleep(self):
        """Whether it has no replica, and the gateway that happens to be asked tells so."""
        return not self.stack.replica_pids(self.application) and self.told()["asleep"]

    def sleeps_fast(self):
        """Whether it is asleep and stays so: a call of just before, the monitor's say, wakes it once more."""
        if not self.is_asleep():
            return False
        time.sleep(4)
        return self.is_asleep()

    def told(self):
        readiness = httpx.get(f"{self.stack.api_url}/ready", timeout=30).json()
        (endpoint,) = [one for one in readiness["endpoints"] if one["model_id"] == "credit-risk"]
        return next(one for one in endpoint["versions"] if one["version"] == self.version)

    def ask(self, **how):
        """Its answer, asked for as a client does that heeds Retry-After; and how long that took."""
        began = time.monotonic()
        while (response := self.stack.predict(self.row, **how)).status_code == 503:
            assert response.json()["code"] == "MODEL_UNAVAILABLE", response.text
            assert time.monotonic() - began < PATIENCE_SECONDS
            time.sleep(int(response.headers["retry-after"]))
        assert response.status_code == 200, response.text
        return response.json(), time.monotonic() - began


@pytest.fixture
def sleeping(applied, stack, misbehaving, rows):
    scaling = {"minReplicas": 0, "maxReplicas": 1, "idleAfter": "10s"}
    rule = {"name": "beta", "when": {"header": BETA}, "version": misbehaving}
    applied(
        versions=({"version": misbehaving, "role": "candidate", "scaling": scaling},), traffic={"rules": [rule]}
    )
    version = SleepingVersion(stack, misbehaving, rows[0])
    wait_until(version.sleeps_fast)
    return version


def test_a_pinned_request_wakes_it_and_it_goes_to_sleep_again(sleeping, stack):
    assert httpx.get(f"{stack.api_url}/ready", timeout=30).status_code == 200
    said = stack.raygate("status").stdout
    assert "asleep" in said, said
    answer, seconds = sleeping.ask(model_version=sleeping.version)
    print(f"up and answered in {seconds:.1f} s")  # for docs/operations.md: pytest -rP shows it
    assert answer["model_version"] == sleeping.version
    assert len(stack.replica_pids(sleeping.application)) == 1
    assert sleeping.ask(model_version=sleeping.version)[1] < 2
    began = time.monotonic()
    wait_until(sleeping.is_asleep)
    print(f"asleep {time.monotonic() - began:.1f} s after the last request")


def test_callers_by_a_rule_are_answered_while_it_wakes_and_by_it_afterwards(sleeping):
    answer, _ = sleeping.ask(headers=BETA)
    assert answer["model_version"] in (sleeping.version, "1.0.0")
    wait_until(lambda: sleeping.ask(headers=BETA)[0]["model_version"] == sleeping.version)


def test_weight_that_is_given_while_it_sleeps_fails_no_request(sleeping, load, split, stack):
    with load(rate=100) as requests:
        requests.await_answers(100)
        split("1.0.0=40", "1.1.0=10", f"{sleeping.version}=50")
        given = requests.now()
        requests.await_answers(1500)
    assert requests.failed == []
    seen = requests.versions(since=given)
    assert 0.4 < seen[sleeping.version] / seen.total() < 0.6
    assert sleeping.told()["asleep"] is False
    time.sleep(25)  # for longer than it may be idle
    assert len(stack.replica_pids(sleeping.application)) == 1, "a version with weight went to sleep"
    split("1.0.0=90", "1.1.0=10")
    wait_until(sleeping.is_asleep)


def test_a_gateway_that_starts_meanwhile_wakes_nobody_and_serves_it_all_the_same(sleeping, stack):
    before = stack.replica_pids("raygate-gateway")
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(set(stack.replica_pids("raygate-gateway")) - {before[0]}) == len(before))
    time.sleep(5)  # every gateway has looked at its pools by then
    assert stack.replica_pids(sleeping.application) == []
    answers = [sleeping.ask(model_version=sleeping.version)[0]["model_version"] for _ in range(20)]
    assert set(answers) == {sleeping.version}
