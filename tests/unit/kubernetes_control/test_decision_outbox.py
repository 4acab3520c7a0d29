"""Decisions in the statuses of resources come to the audit's database, once."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy

from deployments.access import database
from deployments.access.errors import StoreUnavailable
from deployments.kubernetes_control import decision_outbox, endpoint_resource
from deployments.kubernetes_control.decision_outbox import DecisionOutbox
from deployments.rollout.control_database import Decision
from deployments.rollout.decision_audit import DECISIONS, DecisionAudit

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Endpoints:
    """ModelEndpoints whose controllers decide, and die before they tell the audit."""

    def __init__(self):
        self.known = {}

    def decide(self, name, minute, outbox=None):
        resource = self.known.get(name, {"metadata": {"name": name, "uid": f"uid of {name}"}})
        decision = Decision(NOON + timedelta(minutes=minute), name, f"step {minute}", minute, {})
        number = endpoint_resource.next_number(resource)
        self.known[name] = endpoint_resource.with_decision(resource, decision)
        if outbox is not None:
            outbox.add(self.known[name], number, decision)

    def outbox(self, uri):
        return DecisionOutbox(DecisionAudit(uri, "production"), lambda: self.known.values())


@pytest.fixture
def endpoints():
    return Endpoints()


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path / 'audit.db'}"


def audited(uri):
    made = sqlalchemy.select(DECISIONS.c["endpoint", "number", "action"]).order_by(DECISIONS.c.position)
    with database.connect(uri).connect() as connection:
        return [tuple(row) for row in connection.execute(made)]


def test_what_two_dead_controllers_left_in_the_statuses_is_carried_in_the_order_of_time(endpoints, uri):
    for name, minute in (("a", 1), ("b", 2), ("a", 3)):
        endpoints.decide(name, minute)
    endpoints.outbox(uri).look()
    endpoints.decide("b", 4)
    again = endpoints.outbox(uri)
    again.look()
    again.look()
    assert audited(uri) == [("a", 1, "step 1"), ("b", 1, "step 2"), ("a", 2, "step 3"), ("b", 2, "step 4")]


def test_more_decisions_than_a_status_keeps_outlive_a_database_that_is_down(endpoints, uri, monkeypatch):
    monkeypatch.setenv("AUDIT_DATABASE", "postgresql://raygate@127.0.0.1:1/raygate")
    outbox = endpoints.outbox("env:AUDIT_DATABASE")
    for minute in range(1, 31):
        endpoints.decide("a", minute, outbox)
    with pytest.raises(StoreUnavailable):
        outbox.look()
    monkeypatch.setenv("AUDIT_DATABASE", uri)
    outbox.look()
    assert [number for _, number, _ in audited(uri)] == list(range(1, 31))


def test_past_the_bound_the_oldest_go_to_the_processs_own_log(endpoints, uri, monkeypatch, caplog):
    monkeypatch.setattr(decision_outbox, "BOUND", 2)
    outbox = endpoints.outbox(uri)
    for minute in (1, 2, 3):
        endpoints.decide("a", minute, outbox)
    outbox.look()
    assert audited(uri) == [("a", 2, "step 2"), ("a", 3, "step 3")]
    assert "step 1" in caplog.text
