import pytest
from gateway_snapshots import KEY, counts, snapshot

from deployments.contracts.errors import WireMismatch
from monitoring import intake


def test_a_snapshot_survives_the_way_to_the_monitor():
    sent = snapshot("a", 7, {KEY: counts(3, labels={"good": 3})})
    assert intake.read(sent.to_plain()) == sent


def other_contract(plain):
    plain["contract"] = 2


def without_gateway(plain):
    del plain["gateway"]


def other_buckets(plain):
    plain["versions"][0]["latency_counts"].pop()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(other_contract, "snapshot contracts differ: ours 1, theirs 2", id="other-contract"),
        pytest.param(without_gateway, "failed at 'gateway'", id="missing-field"),
        pytest.param(
            other_buckets, "latency buckets differ: ours 19, theirs 18 for credit_risk", id="other-buckets"
        ),
    ],
)
def test_a_snapshot_that_cannot_be_added_up_is_refused_by_name(spoil, told):
    plain = snapshot().to_plain()
    spoil(plain)
    with pytest.raises(WireMismatch, match=told):
        intake.read(plain)
