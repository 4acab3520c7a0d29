import logging
from datetime import UTC, datetime

import pytest

from deployments.access.audit import Action, AuditEvent, MemoryAuditLog, Outcome
from deployments.access.audit_buffer import AuditBuffer
from deployments.access.errors import StoreUnavailable
from deployments.access.stores import open_store


def event(number=0, **different):
    made = {
        "at": datetime(2026, 3, 1, 12, tzinfo=UTC),
        "actor": "ada",
        "credential": "key:1",
        "action": Action.TRAFFIC_CHANGED,
        "subject": f"endpoint/{number}",
        "detail": {"weights": {"1.0.0": 100.0}},
    }
    return AuditEvent(**{**made, **different})


def test_events_reach_the_log_in_order_and_once():
    log = MemoryAuditLog()
    buffer = AuditBuffer(log)
    events = [event(number) for number in range(1200)]
    for one in events:
        buffer.record(one)
    buffer.flush()
    buffer.flush()
    assert log.events == events
    assert buffer.waiting == 0


def test_a_log_that_is_down_holds_up_nobody_and_loses_nothing():
    log = MemoryAuditLog()
    buffer = AuditBuffer(log)
    log.is_down = True
    buffer.record(event(1))
    with pytest.raises(StoreUnavailable):
        buffer.flush()
    buffer.record(event(2))
    assert buffer.waiting == 2
    log.is_down = False
    buffer.flush()
    assert log.events == [event(1), event(2)]


def test_what_the_bound_pushes_out_is_told_to_the_process_log(caplog):
    log = MemoryAuditLog()
    buffer = AuditBuffer(log, bound=2)
    with caplog.at_level(logging.ERROR, "raygate.audit"):
        for number in range(3):
            buffer.record(event(number))
    assert "endpoint/0" in caplog.text
    buffer.flush()
    assert log.events == [event(1), event(2)]


def test_closing_writes_what_waits():
    log = MemoryAuditLog()
    buffer = AuditBuffer(log)
    buffer.start()
    buffer.record(event())
    buffer.close()
    assert log.events == [event()]


def test_closing_while_the_log_is_down_tells_the_process_log(caplog):
    log = MemoryAuditLog()
    log.is_down = True
    buffer = AuditBuffer(log)
    buffer.record(event(7))
    with caplog.at_level(logging.ERROR, "raygate.audit"):
        buffer.close()
    assert "endpoint/7" in caplog.text
    assert buffer.waiting == 0


def test_an_event_comes_back_from_a_database_as_it_was(tmp_path):
    log = open_store(f"sqlite:///{tmp_path / 'access.db'}", create=True).audit
    written = event(outcome=Outcome.REFUSED)
    log.append([written])
    assert log.latest(5) == (written,)


@pytest.mark.parametrize("actor", ["x" * 5000, "nul\x00", "\ud800"], ids=["long", "nul", "lone-surrogate"])
def test_an_odd_name_keeps_nothing_out_of_the_audit(tmp_path, actor):
    log = open_store(f"sqlite:///{tmp_path / 'access.db'}", create=True).audit
    log.append([event(actor=actor), event(2)])
    assert len(log.latest(5)) == 2
