"""Requests that come in one call of Serve are answered as those that come alone over HTTP."""

import asyncio
import json

import pytest
from gateway_stack import PREDICT, V1, V2, Stack

from deployments.contracts import joint_call
from deployments.contracts.errors import WireMismatch
from deployments.contracts.joint_call import JointRequest
from deployments.gateway import joint_requests


def request_of(features, path=PREDICT, model="credit-risk", **headers):
    named = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    return JointRequest(path, named, json.dumps({"model_id": model, "features": features}).encode())


@pytest.fixture
def together(schema, run):
    """Send requests to a fresh stack in one call; returns answers and stack."""

    def send(*requests, **arguments):
        async def scenario():
            stack = Stack(schema, **arguments)
            await stack.start()
            sent = joint_call.from_plain(joint_call.to_plain(list(requests)))
            return await joint_requests.answer_together(stack.asgi, sent), stack

        return run(scenario())

    return send


def test_each_is_answered_in_its_place_sound_or_not(together, row):
    answers, _ = together(
        request_of({**row, "Income": 0.25}),
        request_of({**row, "Age": "old"}),
        request_of(row, model="nobody"),
        request_of({**row, "Income": 0.9}),
    )
    assert [answer.status for answer in answers] == [200, 422, 404, 200]
    documents = [json.loads(answer.body) for answer in answers]
    assert [document.get("probability") for document in documents] == [0.75, None, None, 0.9]
    assert "Age" in documents[1]["details"]
    assert dict(answers[0].headers)[b"content-type"] == b"application/json"


def test_rows_of_requests_that_come_together_share_calls_to_the_pool(together, row):
    _, stack = together(*(request_of(row) for _ in range(20)))
    calls = stack.pool(V1).calls
    assert sum(len(call.columns) for call in calls) == 20
    assert len(calls) < 5


def test_each_goes_by_its_own_headers(together, row):
    units = [f"applicant-{number}" for number in range(200)]
    answers, stack = together(*(request_of(row, x_user_id=unit) for unit in units))
    again, _ = together(*(request_of(row, x_user_id=unit) for unit in reversed(units)))
    versions = [json.loads(answer.body)["model_version"] for answer in answers]
    assert set(versions) == {str(V1), str(V2)}
    assert versions == [json.loads(answer.body)["model_version"] for answer in reversed(again)]
    assert {record.decision.unit for record in stack.records.requests} == set(units)


def test_a_path_that_is_not_there_is_an_answer_too(together, row):
    (answer,), _ = together(request_of(row, path="/nowhere"))
    assert answer.status == 404
    assert json.loads(answer.body)["code"]


def test_one_that_hangs_or_fails_costs_no_other_its_answer(run, monkeypatch):
    monkeypatch.setattr(joint_requests, "LONGEST_SECONDS", 0.05)

    async def application(scope, receive, send):
        if scope["path"] == "/hangs":
            await asyncio.Event().wait()
        if scope["path"] == "/fails":
            raise RuntimeError("nobody foresaw it")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"sound"})
        if scope["path"] == "/fails-late":
            raise RuntimeError("after its answer")

    async def scenario():
        sent = [JointRequest(path, (), b"") for path in ("/hangs", "/fails", "/", "/fails-late")]
        return await joint_requests.answer_together(application, sent)

    answers = run(scenario())
    assert [answer.status for answer in answers] == [504, 500, 200, 200]
    assert answers[2].body == answers[3].body == b"sound"


def test_a_sender_of_another_release_is_refused():
    with pytest.raises(WireMismatch, match="joint calls"):
        joint_call.from_plain({"contract": 2, "requests": []})
