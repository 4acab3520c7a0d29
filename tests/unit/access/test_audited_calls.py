"""Which administrative calls are in the audit, those that were refused among them."""

from datetime import UTC, datetime

import pytest
from credentials import key
from waiting import wait_until

from deployments.access.audit import Action, AuditEvent, MemoryAuditLog, Outcome
from deployments.access.caller import Caller
from deployments.access.errors import Forbidden
from deployments.access.refused_calls import MOST_KINDS, RefusedCalls
from deployments.access.roles import Permission, Role


def test_administrative_calls_reach_the_audit_without_waiting(begin, store):
    log = MemoryAuditLog()
    access = begin(store, log)
    log.is_down = True
    event = AuditEvent(datetime.now(UTC), "ada", "key:1", Action.TRAFFIC_CHANGED, "endpoint/credit-risk")
    access.record(event)
    assert access.figures().audit_waiting == 1
    log.is_down = False
    wait_until(lambda: log.events == [event])


TRAFFIC = "/api/v1/admin/endpoints/credit-risk/traffic"


def refused(access, headers, path=TRAFFIC, times=1):
    for _ in range(times):
        with pytest.raises(Forbidden):
            access.admit_route("PUT", path, headers)


def test_a_refused_administrative_call_is_in_the_audit_with_who_and_what(begin, store, create):
    log, minted = MemoryAuditLog(), create("shop", Role.PREDICTOR)
    access = begin(store, log)
    refused(access, key(minted.text))
    wait_until(lambda: log.events)
    (event,) = log.events
    assert (event.actor, event.credential, event.action) == ("shop", f"key:{minted.key_id}", Action.CALL_REFUSED)
    assert (event.subject, event.outcome) == (f"PUT {TRAFFIC}", Outcome.REFUSED)
    assert event.detail == {"permission": "change traffic"}


def test_a_predict_call_that_is_refused_is_counted_and_not_audited(begin, store, create):
    log, text = MemoryAuditLog(), create("ada", Role.VIEWER).text
    access = begin(store, log)
    with pytest.raises(Forbidden):
        access.admit_route("POST", "/predict", key(text))
    access.close()
    assert access.figures().refused == {Forbidden: 1}
    assert log.events == []


def test_a_flood_of_refused_calls_is_one_event_and_a_number(begin, store, create):
    log, text, other = MemoryAuditLog(), create("shop").text, create("bank").text
    access = begin(store, log)
    refused(access, key(text), times=5000)
    refused(access, key(other))
    access.close()
    assert [(event.actor, event.detail.get("more")) for event in log.events] == [
        ("shop", None), ("bank", None), ("shop", 4999),
    ]  # fmt: skip


def test_refusals_of_ever_new_callers_are_bounded_and_counted():
    log = MemoryAuditLog()
    calls = RefusedCalls(lambda event: log.append([event]))
    for number in range(1000):
        calls.note(Caller.with_role(f"login:{number}", Role.VIEWER, "token:login"), Permission.APPROVE, "POST /x")
    calls.tell()
    assert len(log.events) == MOST_KINDS + 1
    assert (log.events[-1].actor, log.events[-1].detail) == ("others", {"more": 1000 - MOST_KINDS})
    calls.note(Caller.with_role("login:1", Role.VIEWER, "token:login"), Permission.APPROVE, "POST /x")
    assert log.events[-1].actor == "login:1"
