"""Replicas follow load, nodes follow replicas, and both come back: with the rendered delays but one."""

import time

import pytest
import slow_model
from waiting import wait_until

SLOW_POOL = f"credit_risk_v{slow_model.VERSION}"


@pytest.mark.timeout(480)
def test_load_brings_replicas_and_the_node_that_they_need_and_rest_takes_both_back(settled, load):
    entry, _ = settled.workers
    began = time.monotonic()

    def told(what):
        print(f"{time.monotonic() - began:4.0f} s: {what}")

    with load(entry, rate=20, model_version=slow_model.VERSION) as requests:
        wait_until(lambda: settled.operator.wanted_workers == 3, 120)
        told("the autoscaler asks for a third worker")
        wait_until(lambda: len(settled.replicas(SLOW_POOL)) == 4, 120)
        told(f"four replicas, {settled.spread()[SLOW_POOL]}")
        settled.await_settled()
        requests.await_answers(100)
    assert len(settled.workers) == 3
    assert requests.failed == []
    rest = time.monotonic()
    with load(entry, rate=20) as others:
        wait_until(lambda: len(settled.replicas(SLOW_POOL)) == 2, 180)
        told(f"two replicas, {time.monotonic() - rest:.0f} s after the load")
        wait_until(lambda: len(settled.workers) == settled.operator.wanted_workers == 2, 120)
        told("two workers")
    assert others.failed == []
