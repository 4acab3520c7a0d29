"""A caller that sends slowly is slow itself: no version is, and nobody else pays for it."""

import asyncio
import json

import pytest
from gateway_stack import CANDIDATE, PREDICT, V1, V2, until


class Upload:
    """A body in two parts; the second comes when it is let go."""

    def __init__(self, content):
        self.content, self.rest, self.answer = content, asyncio.Event(), []
        self._parts = iter((False, True))

    async def receive(self):
        if next(self._parts):
            await self.rest.wait()
            return {"type": "http.request", "body": self.content[5:], "more_body": False}
        return {"type": "http.request", "body": self.content[:5], "more_body": True}

    async def send(self, message):
        self.answer.append(message)

    async def to(self, stack, path=PREDICT):
        scope = {"type": "http", "method": "POST", "path": path, "headers": []}
        await stack.asgi(scope, self.receive, self.send)
        head, body = self.answer
        return head["status"], dict(head["headers"]), json.loads(body["body"])


@pytest.fixture
def upload(row):
    return lambda: Upload(json.dumps({"model_id": "credit-risk", "features": row}).encode())


async def finish_after(upload, seconds):
    await asyncio.sleep(seconds)
    upload.rest.set()


def test_an_upload_that_takes_longer_than_the_deadline_is_answered(play, upload):
    async def scenario(stack):
        sent = upload()
        (status, _, _), _ = await asyncio.gather(sent.to(stack), finish_after(sent, 0.6))
        assert status == 200
        assert stack.scoring.endpoint("credit-risk").stable_is_ready
        assert stack.counts(V1).requests == {"OK": 1}

    play(scenario, deadline_seconds=0.5)


def test_a_slow_upload_is_no_evidence_against_a_candidate(play, upload):
    async def scenario(stack):
        sent = upload()
        (_, _, answer), _ = await asyncio.gather(sent.to(stack), finish_after(sent, 0.6))
        assert answer["model_version"] == "1.1.0"
        assert stack.counts(V2).failovers == {}
        assert stack.counts(V2).latency_sum < 0.5, "the time of the upload is nobody's latency"

    play(scenario, draws=[CANDIDATE], deadline_seconds=1.0)


def test_a_body_that_does_not_come_is_refused_and_darkens_no_version(play, upload, row):
    async def scenario(stack):
        status, headers, answer = await upload().to(stack)
        assert (status, answer["code"]) == (408, "BODY_TOO_SLOW")
        assert headers[b"connection"] == b"close"
        assert (await stack.request("GET", "/ready")).status_code == 200
        assert (await stack.predict(row)).status_code == 200
        (unknown,) = [counts for key, counts in stack.counters._versions.items() if key[1] == "none"]
        assert (unknown.requests, unknown.latency_sum) == ({"BODY_TOO_SLOW": 1}, 0.0)

    play(scenario, body_seconds=0.05)


def test_a_deadline_that_is_spent_before_the_pool_is_asked_says_nothing_of_the_pool(play, row, monkeypatch):
    async def scenario(stack):
        gate = stack.pool(V1).gate = asyncio.Event()
        patient = asyncio.create_task(stack.predict(row))
        await until(lambda: stack.pool(V1).calls)
        clock, looks = stack.scoring.clock, iter((3600.0,))  # the arrival is an hour before everything else
        monkeypatch.setattr(stack.scoring, "clock", lambda: clock() - next(looks, 0.0))
        refused = await stack.predict(row)
        assert (refused.status_code, refused.json()["code"]) == (504, "DEADLINE_EXCEEDED")
        assert stack.scoring.endpoint("credit-risk").stable_is_ready
        gate.set()
        assert (await patient).status_code == 200
        assert len(stack.pool(V1).calls) == 1

    play(scenario)


def test_a_pool_is_silent_only_while_a_call_waits_for_it(play, row):
    async def scenario(stack):
        dispatcher, clock = stack.scoring.endpoint("credit-risk").stable.dispatcher, stack.scoring.clock
        assert not dispatcher.is_silent_since(clock())
        gate = stack.pool(V1).gate = asyncio.Event()
        asked = asyncio.create_task(stack.predict(row))
        await until(lambda: stack.pool(V1).calls)
        later = clock()
        assert dispatcher.is_silent_since(later)
        gate.set()
        await asked
        assert not dispatcher.is_silent_since(later)

    play(scenario)
