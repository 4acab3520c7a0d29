"""Of several controllers one acts."""

import threading

import pytest
from kubernetes_namespace import endpoint

from deployments.contracts.errors import RaygateError


def test_the_first_leads_and_the_second_waits(start):
    first, second = start("first").leadership, start("second").leadership
    assert first.attempt()
    assert not second.attempt()
    assert (first.is_held, second.is_held) == (True, False)


def test_a_dead_leader_is_followed_after_its_lease(namespace, start):
    first, second = start("first").leadership, start("second").leadership
    first.attempt()
    second.attempt()
    namespace.pass_time(14)
    assert not second.attempt()
    namespace.pass_time(2)
    assert second.attempt()
    lease = namespace.api.get("leases", "raygate-controller")
    assert lease["spec"]["holderIdentity"] == "second"
    assert lease["spec"]["leaseTransitions"] == 1
    assert not first.attempt()


def test_a_leader_that_renews_stays(namespace, start):
    first, second = start("first").leadership, start("second").leadership
    for _ in range(10):
        assert first.attempt()
        assert not second.attempt()
        namespace.pass_time(5)


def test_a_clock_that_is_an_hour_off_elects_nobody(namespace, start):
    """Only changes of the lease count, as a follower's own clock measures them."""
    first, second = start("first").leadership, start("second").leadership
    first.attempt()
    lease = namespace.api.get("leases", "raygate-controller")
    namespace.api.replace(
        "leases", {**lease, "spec": {**lease["spec"], "renewTime": "2020-01-01T00:00:00.000000Z"}}
    )
    assert not second.attempt()


def test_a_leader_that_goes_lets_the_next_one_lead_at_once(start):
    first, second = start("first").leadership, start("second").leadership
    first.attempt()
    second.attempt()
    first.release()
    assert second.attempt()


def test_a_leader_that_cannot_renew_stops_before_another_may_begin(namespace, start):
    first = start("first").leadership
    first.attempt()
    namespace.api.go_down()
    namespace.pass_time(11)
    with pytest.raises(RaygateError):
        first.attempt()
    assert not first.is_held


def test_two_that_find_a_free_lease_do_not_both_lead(namespace, start):
    first, second = start("first").leadership, start("second").leadership
    first.attempt()
    first.release()
    lease = namespace.api.get("leases", "raygate-controller")
    renewed = second._renewal(lease)
    assert first.attempt()
    from deployments.kubernetes_control.cluster import LEASE
    from deployments.kubernetes_control.errors import ResourceChanged

    with pytest.raises(ResourceChanged):
        second._cluster.replace(LEASE, renewed)


def test_who_does_not_lead_writes_nothing(namespace, start):
    leader, other = start("leader"), start("other")
    leader.leadership.attempt()
    namespace.api.create("modelendpoints", endpoint())
    other.catch_up()
    assert not other.store.lead("other", namespace.now, None)


def test_an_election_goes_on_after_an_error_that_nobody_foresaw(start, monkeypatch):
    leadership, stopping, attempts = start("first").leadership, threading.Event(), []

    def attempt():
        attempts.append(1)
        if len(attempts) == 1:
            raise TypeError("the client's token file is empty")
        stopping.set()

    monkeypatch.setattr(leadership, "attempt", attempt)
    monkeypatch.setattr("deployments.kubernetes_control.leadership.RENEW_SECONDS", 0.0)
    leadership.keep(stopping, threading.Event())
    assert len(attempts) == 2
