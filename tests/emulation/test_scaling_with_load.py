"""Replicas follow load, nodes follow replicas, and both go back: with the rendered bounds and delays."""

import time

import pytest
import slow_model
from waiting import wait_until

SLOW_POOL = f"credit_risk_v{slow_model.VERSION}"
BUSY = {"rate": 120, "connections": 24, "model_version": slow_model.VERSION}
"""24 requests at a time: more than ten replicas can do that are to be busy for 70 % of their time."""


@pytest.mark.timeout(900)
def test_load_brings_ten_replicas_and_the_nodes_that_they_need_and_rest_takes_them_back(settled, load):
    entry, _ = settled.workers
    began = time.monotonic()

    def told(what):
        print(f"{time.monotonic() - began:4.0f} s: {what}")

    with load(entry, **BUSY) as requests:
        wait_until(lambda: settled.operator.wanted_workers > 2, 120)
        told(f"{settled.operator.wanted_workers} workers wanted, {len(settled.replicas(SLOW_POOL))} replicas run")
        wait_until(lambda: len(settled.replicas(SLOW_POOL)) == 10, 300)
        told(f"{dict(settled.spread()[SLOW_POOL])}")
        settled.await_settled()
        requests.await_answers(100)
    assert len(settled.workers) == 4
    # Two replicas are not enough for this load: until others are there a gateway may shed a request, at once and
    # with the time to come again, rather than let it wait for too long.
    shed = [one for one in requests.failed if one.status == 503 and one.retry_after and one.seconds < 1]
    assert requests.failed == shed
    assert len(shed) < len(requests.outcomes) / 100
    with load(entry, rate=20) as others:
        wait_until(lambda: len(settled.replicas(SLOW_POOL)) == 2, 240)
        told(f"{dict(settled.spread()[SLOW_POOL])}")
        # Serve keeps the last replicas together where most of them were: on the third worker, which stays.
        wait_until(lambda: len(settled.workers) == 3, 180)
        told(f"{len(settled.workers)} workers")
    assert others.failed == []
