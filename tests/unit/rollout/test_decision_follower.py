"""Decisions are handed on once, in order, to those whom the plan names."""

import hashlib
import hmac
import json
from datetime import timedelta
from typing import NamedTuple

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rollout_examples import NAME, NOON, World, wanted_endpoint

from deployments.contracts.notification import Notification
from deployments.prediction_log.columns import ENCRYPTED
from deployments.prediction_log.errors import SegmentUnreadable
from deployments.rollout.commands import Command
from deployments.rollout.control_database import Decision
from deployments.rollout.decision_follower import DecisionFollower
from deployments.rollout.endpoint_store import EndpointStore
from deployments.rollout.kept_records import WRITTEN_AFTER, KeptRecords
from deployments.rollout.notifier import Notifier


@pytest.fixture
def store(tmp_path):
    return EndpointStore(tmp_path / "endpoints.db")


def decide(store, action, **detail):
    store.decide(wanted_endpoint(), action, detail, NOON)


class Receiver:
    """Takes decisions, unless it is told not to."""

    def __init__(self):
        self.got, self.willing = [], True

    def take(self, number, decision):
        if self.willing:
            self.got.append((number, decision.action))
        return self.willing


def test_what_was_decided_before_the_first_start_is_not_handed_on(store, tmp_path):
    decide(store, "apply")
    receiver = Receiver()
    follower = DecisionFollower(tmp_path / "endpoints.db", "test", receiver.take)
    decide(store, "rollout progressing")
    follower.look()
    follower.look()
    assert receiver.got == [(2, "rollout progressing")]


def test_what_nobody_took_is_handed_on_again_after_a_restart_and_in_order(store, tmp_path):
    receiver = Receiver()
    receiver.willing = False
    follower = DecisionFollower(tmp_path / "endpoints.db", "test", receiver.take)
    decide(store, "rollout progressing")
    decide(store, "rollout rolled back")
    follower.look()
    receiver.willing = True
    DecisionFollower(tmp_path / "endpoints.db", "test", receiver.take).look()
    assert receiver.got == [(1, "rollout progressing"), (2, "rollout rolled back")]


class Web:
    """Takes requests; answers with a status."""

    def __init__(self, status=200):
        self.requests, self.status = [], status

    def __call__(self, request):
        self.requests.append(request)
        return httpx.Response(self.status)

    @property
    def bodies(self):
        return [json.loads(request.content) for request in self.requests]


ROLLED_BACK = Decision(
    NOON,
    NAME,
    "rollout rolled back",
    7,
    {
        "rollout": "credit-risk-1.1.0-x",
        "weights": {"1.0.0": 100.0, "1.1.0": 0.0},
        "reason": "error rate: 10 of 100 requests failed",
        "verdict": {"findings": [{"check": "error-rate", "evidence": {"candidate_failed_requests": 10}}]},
    },
)
OWED = Decision(NOON, NAME, "champion alias owed", 7, {"reason": "the registry does not answer"})
STEPPED = Decision(NOON, NAME, "rollout progressing", 6, {"weights": {"1.0.0": 90.0, "1.1.0": 10.0}, "reason": ""})


@pytest.fixture
def secrets(monkeypatch):
    monkeypatch.setenv("HOOK", "https://hooks.example/raygate")
    monkeypatch.setenv("SLACK", "https://hooks.slack.example/services/T0")
    monkeypatch.setenv("HOOK_SECRET", "shared")


def told(web, decision, *receivers):
    notifier = Notifier(
        lambda endpoint: [Notification.model_validate(one) for one in receivers], httpx.MockTransport(web)
    )
    assert notifier.take(41, decision) is True


def test_a_webhook_gets_the_evidence_of_a_rollback_signed_and_numbered(secrets):
    web = Web()
    told(web, ROLLED_BACK, {"channel": "webhook", "url": "env:HOOK", "secret": "env:HOOK_SECRET"})
    (request,) = web.requests
    (body,) = web.bodies
    assert (body["event"], body["severity"], body["endpoint"]) == ("rollout rolled back", "critical", NAME)
    assert body["verdict"]["findings"][0]["evidence"] == {"candidate_failed_requests": 10}
    assert request.headers["x-raygate-delivery"] == "decision-41"
    signed = request.headers["x-raygate-timestamp"].encode() + b"." + request.content
    wanted = hmac.new(b"shared", signed, hashlib.sha256).hexdigest()
    assert request.headers["x-raygate-signature"] == f"sha256={wanted}"


def test_slack_gets_a_message_that_people_read(secrets):
    web = Web()
    told(web, ROLLED_BACK, {"channel": "slack", "url": "env:SLACK"})
    (body,) = web.bodies
    assert body == {
        "text": ":red_circle: *credit-risk*: rollout rolled back\n1.0.0 100 %, 1.1.0 0 %\n"
        "error rate: 10 of 100 requests failed\ncredit-risk-1.1.0-x"
    }


def test_who_wants_trouble_alone_hears_of_no_step(secrets):
    web = Web()
    wants_trouble = {"channel": "slack", "url": "env:SLACK", "about": "trouble"}
    told(web, STEPPED, wants_trouble)
    assert web.requests == []
    told(web, ROLLED_BACK, wants_trouble)
    told(web, OWED, wants_trouble)
    assert len(web.requests) == 2


def test_a_receiver_that_refuses_or_cannot_be_called_keeps_it_from_no_other(secrets, monkeypatch):
    web = Web(status=404)
    monkeypatch.setenv("NO_URL", "hooks.example")
    monkeypatch.setenv("NO_URL_EITHER", "https://user:password@hooks.example\r:x/")
    told(
        web,
        STEPPED,
        {"channel": "webhook", "url": "env:NO_URL"},
        {"channel": "webhook", "url": "env:NO_URL_EITHER"},
        {"channel": "webhook", "url": "env:NOT_SET"},
        {"channel": "webhook", "url": "env:HOOK"},
        {"channel": "slack", "url": "env:SLACK"},
    )
    called = [request.url.host for request in web.requests if request.url.host]
    assert called == ["hooks.example", "hooks.slack.example"]


SEGMENT = (
    "predictions/model=credit_risk/version=1.1.0/date=2026-11-21/hour=12/20261121T120000-a-0000000001.parquet"
)


class RolledBack(NamedTuple):
    name: str
    decision: Decision


@pytest.fixture
def rolled_back(tmp_path, monkeypatch):
    """A rollout that was rolled back and followed by the next one, and a log with its records and others."""
    from deployments.prediction_log import segment

    world = World.with_plan()
    rollout = world.service.start(NAME, None, "ann")
    schema = pa.schema(
        [
            pa.field("experiment", pa.string()),
            pa.field("unit", pa.string()),
            pa.field("feature.Age", pa.float64()),
            pa.field("feature.Name", pa.string(), metadata={ENCRYPTED: b"text"}),
        ]
    )
    rows = [
        {"experiment": rollout.name, "unit": "u1", "feature.Age": 40.0, "feature.Name": "token"},
        {"experiment": "", "unit": "u2", "feature.Age": 50.0, "feature.Name": "token"},
    ]
    file = tmp_path / "log" / SEGMENT
    file.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), file)
    monkeypatch.setattr(segment, "opened", lambda location, path: pq.ParquetFile(location.full(path)))
    world.now += timedelta(minutes=5)
    world.service.obey(NAME, Command.ROLLBACK, "ann")
    world.controller().tick()
    decision = world.store.decisions[-1]
    world.service.start(NAME, None, "ann")
    return RolledBack(rollout.name, decision)


def test_the_records_of_a_rollback_are_kept_aside_without_what_is_personal(rolled_back, tmp_path):
    decision, moment = rolled_back.decision, {"now": rolled_back.decision.at}
    records = KeptRecords(str(tmp_path / "log"), lambda: moment["now"])
    assert records.take(3, decision) is False
    moment["now"] += WRITTEN_AFTER
    assert records.take(3, decision) is True
    (kept,) = (tmp_path / "log" / "kept" / rolled_back.name).glob("*.parquet")
    assert pq.read_table(kept).to_pylist() == [{"experiment": rolled_back.name, "feature.Age": 40.0}]


def test_what_is_kept_is_not_kept_again_once_its_segments_are_compacted(rolled_back, tmp_path):
    records = KeptRecords(str(tmp_path / "log"), lambda: rolled_back.decision.at + WRITTEN_AFTER)
    assert records.take(3, rolled_back.decision)
    segment = tmp_path / "log" / SEGMENT
    segment.rename(segment.with_name("20261121T120000-compacted-0000000001.parquet"))
    assert records.take(3, rolled_back.decision)
    assert len(list((tmp_path / "log" / "kept" / rolled_back.name).glob("*.parquet"))) == 1


def test_no_other_decision_keeps_anything(rolled_back, tmp_path):
    records = KeptRecords(str(tmp_path / "log"), lambda: NOON + WRITTEN_AFTER)
    assert records.take(2, STEPPED) is True
    assert not (tmp_path / "log" / "kept").exists()


def test_a_segment_that_cannot_be_read_keeps_no_other_from_being_kept(rolled_back, tmp_path, monkeypatch):
    from deployments.prediction_log import segment

    damaged = tmp_path / "log" / SEGMENT.replace("-a-", "-b-")
    damaged.write_bytes(b"no parquet")
    read = segment.opened

    def opened(location, path):
        if "-b-" in path:
            raise SegmentUnreadable(path, "it is damaged")
        return read(location, path)

    monkeypatch.setattr(segment, "opened", opened)
    records = KeptRecords(str(tmp_path / "log"), lambda: rolled_back.decision.at + WRITTEN_AFTER)
    assert records.take(3, rolled_back.decision) is True
    assert len(list((tmp_path / "log" / "kept" / rolled_back.name).glob("*.parquet"))) == 1
