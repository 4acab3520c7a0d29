"""A worker between real brokers and a gateway that answers what a test wants."""

import json
import random
import time
from collections import defaultdict

import pytest
from stream_on_a_thread import wait_for, working

from deployments.contracts.metric_names import OK
from deployments.streaming.errors import GatewayRefuses
from ray_apps.cli.stream import _summary


def source(message):
    return dict(message.headers())["raygate-source"].decode()


def applications(count, keys=20, start=0):
    return [(f"applicant-{number % keys}", {"id": number}) for number in range(start, start + count)]


def ids(messages):
    return [json.loads(message.value())["echo"]["id"] for message in messages]


def has_ids(count):
    return lambda messages: len(set(ids(messages))) == count


def test_every_record_becomes_a_result_in_the_order_of_its_key_or_is_rejected_with_a_reason(
    stream, gateway, produce, reader
):
    made = stream(maxInFlight=16)
    produce(made, [*applications(300), ("odd", b"{not json"), ("odd", [1]), (None, None)])
    refused = {"error": "…", "code": "VALIDATION_ERROR", "details": "features.Income: must be a number"}
    gateway.answer = lambda body: (422, refused) if body["features"]["id"] == 7 else None
    results, rejected = reader(made.spec.results), reader(made.spec.rejected)
    with working(made, gateway.url) as figures:
        messages = results.read_until(has_ids(299))
        bad = rejected.read_until(lambda seen: len(seen) == 4)
    by_key = defaultdict(list)
    for message in messages:
        by_key[message.key()].append(json.loads(message.value())["echo"]["id"])
    assert len(by_key) == 20
    assert all(numbers == sorted(set(numbers)) for numbers in by_key.values())
    told = {dict(message.headers())["raygate-reason"].decode(): message for message in bad}
    seventh = told["features.Income: must be a number"]
    assert (seventh.key(), json.loads(seventh.value())) == (b"applicant-7", {"id": 7})
    assert dict(seventh.headers())["raygate-code"] == b"VALIDATION_ERROR"
    assert source(seventh).startswith(f"{made.spec.input}/")
    assert {"the value must be a JSON object", "the record has no value"} < set(told)
    assert figures.records == {OK: 299, "VALIDATION_ERROR": 1, "UNREADABLE_RECORD": 3}
    assert sum(figures.latency_counts) == 303
    assert 4 < gateway.most_at_once <= 16


def test_a_record_is_asked_about_as_a_caller_with_its_key_would(stream, gateway, produce, reader, tmp_path):
    (tmp_path / "key").write_text("rg_secret")
    made = stream()
    produce(made, [("ada", {"Income": 1})])
    with working(made, gateway.url, f"file:{tmp_path / 'key'}"):
        reader(made.spec.results).read_until(len)
    ((path, headers, body),) = gateway.asked
    assert (path, body) == ("/api/v1/predict", {"model_id": "credit-risk", "features": {"Income": 1}})
    assert (headers["x-user-id"], headers["Authorization"]) == ("ada", "Bearer rg_secret")


def test_documents_of_an_endpoint_go_to_its_path_as_they_are(stream, gateway, produce, reader):
    made = stream(endpoint=None, path="/api/v1/score")
    produce(made, [("ada", {"vertical": "auto"})])
    with working(made, gateway.url):
        reader(made.spec.results).read_until(len)
    assert [(path, body) for path, _, body in gateway.asked] == [("/api/v1/score", {"vertical": "auto"})]


def test_a_gateway_that_cannot_answer_now_is_asked_again_and_nothing_is_rejected(stream, gateway, produce, reader):
    made = stream()
    produce(made, applications(40))
    refusals = iter([503] * 20 + [500] * 10 + [404] * 10)
    gateway.answer = lambda body: (status, {}) if (status := next(refusals, None)) else None
    with working(made, gateway.url) as figures:
        reader(made.spec.results).read_until(has_ids(40))
    assert figures.retries == 40
    assert figures.records == {OK: 40}


def test_a_stream_says_what_it_waits_for_until_it_goes_on(stream, gateway, produce, reader):
    made = stream()
    produce(made, applications(1))
    unknown = {"error": "…", "code": "MODEL_NOT_FOUND", "details": "no endpoint is called credit-risk"}
    gateway.answer = lambda body: (404, unknown)
    with working(made, gateway.url) as figures:
        wait_for(lambda: figures.waiting_for)
        url = f"{gateway.url}/api/v1/predict"
        reason = f"the gateway {url}: 404 MODEL_NOT_FOUND no endpoint is called credit-risk"
        assert figures.waiting_for == reason
        assert _summary({0: figures}).endswith(f"waits for {reason}")
        gateway.answer = lambda body: None
        reader(made.spec.results).read_until(has_ids(1))
    assert figures.waiting_for == ""


def test_a_record_that_is_asked_about_again_and_again_holds_up_its_own_key_alone(stream, gateway, produce, reader):
    made = stream(maxInFlight=16)
    produce(made, applications(1000))
    gateway.answer = lambda body: (503, {}) if body["features"]["id"] == 0 else None
    results = reader(made.spec.results)
    with working(made, gateway.url) as figures:
        messages = results.read_until(has_ids(950))
        assert b"applicant-0" not in {message.key() for message in messages}
        gateway.answer = lambda body: None
        results.read_until(has_ids(1000))
    assert figures.records == {OK: 1000}


def test_a_gateway_that_refuses_the_stream_ends_it_and_nothing_is_lost(stream, gateway, produce, reader):
    made = stream()
    produce(made, applications(5))
    denied = {"error": "…", "code": "FORBIDDEN", "details": "shop may not predict"}
    gateway.answer = lambda body: (403, denied)
    with pytest.raises(GatewayRefuses, match="shop may not predict"), working(made, gateway.url) as figures:
        wait_for(lambda: gateway.asked)
    assert figures.records == {}
    gateway.answer = lambda body: None
    with working(made, gateway.url):
        reader(made.spec.results).read_until(has_ids(5))


def test_a_key_that_was_rotated_is_read_again(stream, gateway, produce, reader, monkeypatch):
    made, accepted = stream(), {"Bearer old"}
    refused = 401, {"error": "…", "code": "UNAUTHENTICATED", "details": "the key is not known"}
    gateway.answer = lambda body: None if gateway.asked[-1][1]["Authorization"] in accepted else refused
    monkeypatch.setenv("STREAM_KEY", "old")
    results = reader(made.spec.results)
    with working(made, gateway.url, "env:STREAM_KEY"):
        produce(made, applications(1))
        results.read_until(has_ids(1))
        monkeypatch.setenv("STREAM_KEY", "new")
        accepted = {"Bearer new"}
        produce(made, applications(10, start=1))
        results.read_until(has_ids(11))


def test_what_was_out_at_the_end_does_not_come_again(stream, gateway, produce, reader):
    made = stream()
    produce(made, applications(50))
    results = reader(made.spec.results)
    with working(made, gateway.url):
        results.read_until(has_ids(50))
    produce(made, applications(10, start=50))
    with working(made, gateway.url) as figures:
        results.read_until(has_ids(60))
    assert len(results.messages) == 60
    assert figures.records == {OK: 10}


def test_a_killed_worker_loses_nothing(stream, gateway, produce, reader, start_worker):
    made = stream(maxInFlight=32)
    produce(made, applications(800))
    results = reader(made.spec.results)
    killed = start_worker(made)
    results.read_until(lambda messages: len(messages) > 100)
    killed.process.kill()
    start_worker(made)
    messages = results.read_until(has_ids(800))
    sources = [source(message) for message in messages]
    again = len(sources) - len(set(sources))
    assert again <= 400, "what was committed before the kill does not come again"


def test_two_workers_share_the_topic_and_a_rebalance_loses_nothing(stream, gateway, produce, reader, start_worker):
    made = stream()
    results = reader(made.spec.results)
    produce(made, applications(100))
    first = start_worker(made)
    results.read_until(has_ids(100))
    second = start_worker(made)
    sent, batches_to_both = 100, 10
    while batches_to_both:
        produce(made, applications(20, start=sent))
        sent += 20
        assert sent < 10_000, "the second worker got no partitions"
        batches_to_both -= bool(second.partitions)
        time.sleep(random.uniform(0.1, 0.2))
    messages = results.read_until(has_ids(sent))
    by_key = defaultdict(list)
    for message in messages:
        by_key[message.key()].append(json.loads(message.value())["echo"]["id"])
    for numbers in by_key.values():
        firsts = list(dict.fromkeys(numbers))
        assert firsts == sorted(firsts)
    # These brokers take no offsets while a group changes hands (Kafka does): what was out since then comes again,
    # for as long as that took, but nothing from before.
    assert sum(number < 100 for numbers in by_key.values() for number in numbers) == 100
    assert first.partitions
    assert second.partitions
    assert first.partitions | second.partitions == {0, 1, 2, 3}
    assert not first.partitions & second.partitions
