"""Both clients send, read, repeat and give up alike."""

import json
import subprocess
import sys

import httpx
import numpy as np
import pytest

from deployments import client as raygate
from deployments.client.errors import BY_CODE
from deployments.client.retries import RetryPolicy
from deployments.gateway.problems import Code

ANSWER = {
    "model_id": "credit-risk",
    "model_version": "1.0.0",
    "prediction": "good",
    "probability": 0.75,
    "prediction_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "timestamp": "2026-11-21T12:00:00Z",
}
RECEIPT = {"status": "recorded", "prediction_id": "p1", "feedback_id": "f1"}
ROW = {"Age": 30}
BUSY = {"error": "too many requests wait", "details": "512 rows wait", "code": "OVERLOADED"}


def answered(document=ANSWER, status=200, **headers):
    return httpx.Response(
        status, json=document, headers={name.replace("_", "-"): v for name, v in headers.items()}
    )


def sent(request):
    return json.loads(request.content)


def test_a_row_gets_one_answer_with_its_types(ask, script):
    server = script(answered({**ANSWER, "something_new": 1}))
    answer = ask(server, "predict", "credit-risk", ROW)
    assert (answer.prediction, answer.probability, answer.model_version) == ("good", 0.75, "1.0.0")
    assert answer.timestamp.utcoffset().total_seconds() == 0
    assert sent(server.requests[0]) == {"model_id": "credit-risk", "features": ROW, "options": {}}
    with pytest.raises(ValueError, match="frozen"):
        answer.prediction = "bad"


def test_a_list_of_rows_gets_a_list_of_answers(ask, script):
    failed = {"prediction": None, "prediction_id": "2", "error": BUSY}
    rows = {**ANSWER, "predictions": [{"prediction": True, "probability": 0.5, "prediction_id": "1"}, failed]}
    server = script(answered(rows))
    answers = ask(server, "predict", "credit-risk", [ROW, ROW])
    assert [row.prediction for row in answers.predictions] == [True, None]
    assert answers.predictions[1].error.code == "OVERLOADED"
    assert sent(server.requests[0])["features"] == [ROW, ROW]


def test_options_go_where_the_api_expects_them(ask, script):
    server = script(answered())
    ask(
        server,
        "predict",
        "credit-risk",
        ROW,
        model_version="1.1.0",
        return_probabilities=True,
        return_explanations=True,
        user="Jürgen",
        headers={"x-cohort": "beta"},
    )
    (request,) = server.requests
    assert sent(request)["options"] == {"return_probabilities": True, "return_explanations": True}
    assert sent(request)["model_version"] == "1.1.0"
    assert dict(request.headers.raw)[b"x-user-id"] == "Jürgen".encode()
    assert request.headers["x-cohort"] == "beta"


def test_numbers_of_numpy_are_numbers_and_not_a_number_is_null(ask, script):
    server = script(answered())
    ask(server, "predict", "credit-risk", {"a": np.float64(1.5), "b": np.int64(2), "c": float("nan"), "d": None})
    assert sent(server.requests[0])["features"] == {"a": 1.5, "b": 2, "c": None, "d": None}


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        pytest.param({"api_key": "rg_1"}, ("x-api-key", "rg_1"), id="api-key"),
        pytest.param({"token": "ey"}, ("authorization", "Bearer ey"), id="token"),
    ],
)
def test_credentials_go_with_every_request(ask, script, settings, header):
    server = script(answered())
    ask(server, "predict", "credit-risk", ROW, settings=settings)
    assert server.requests[0].headers[header[0]] == header[1]


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(lambda: answered(BUSY, 503), id="503"),
        pytest.param(lambda: answered(BUSY, 429, retry_after="0"), id="429"),
        pytest.param(lambda: httpx.Response(502, text="<html>bad gateway</html>"), id="502-of-a-proxy"),
        pytest.param(lambda: httpx.ConnectError("refused"), id="no-connection"),
        pytest.param(lambda: httpx.ReadError("reset"), id="connection-reset"),
        pytest.param(lambda: httpx.RemoteProtocolError("disconnected"), id="closed-without-an-answer"),
    ],
)
def test_what_may_end_better_is_asked_again(ask, script, failure):
    server = script(failure(), failure(), answered())
    assert ask(server, "predict", "credit-risk", ROW).prediction == "good"
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        pytest.param(lambda: answered(BUSY, 422), raygate.Unavailable, id="code-before-status"),
        pytest.param(
            lambda: answered({**BUSY, "code": "VALIDATION_ERROR"}, 422), raygate.RequestRefused, id="422"
        ),
        pytest.param(lambda: answered({**BUSY, "code": "NEW_CODE"}, 401), raygate.NotAuthenticated, id="401"),
        pytest.param(lambda: answered({**BUSY, "code": "NEW_CODE"}, 403), raygate.NotPermitted, id="403"),
        pytest.param(lambda: answered({**BUSY, "code": "MODEL_NOT_FOUND"}, 404), raygate.NotFound, id="404"),
        pytest.param(lambda: answered({**BUSY, "code": "DEADLINE_EXCEEDED"}, 504), raygate.TimedOut, id="504"),
        pytest.param(lambda: answered({**BUSY, "code": "MODEL_ERROR"}, 500), raygate.ServerFailed, id="500"),
        pytest.param(lambda: httpx.Response(500, text="oops"), raygate.ServerFailed, id="500-of-a-proxy"),
        pytest.param(lambda: answered([1], 418), raygate.RequestRefused, id="not-an-envelope"),
        pytest.param(lambda: httpx.ReadTimeout("slow"), raygate.NoAnswer, id="slow-server"),
        pytest.param(lambda: answered({"hello": "world"}), raygate.AnswerNotUnderstood, id="another-service"),
        pytest.param(lambda: httpx.Response(200, text="hi"), raygate.AnswerNotUnderstood, id="not-json"),
    ],
)
def test_what_cannot_end_better_is_raised_at_once(ask, script, failure, error):
    server = script(failure())
    with pytest.raises(error):
        ask(server, "predict", "credit-risk", ROW)
    assert len(server.requests) == 1


def test_an_error_carries_all_that_the_server_said(ask, script):
    server = script(answered(BUSY, 503, retry_after="7"))
    with pytest.raises(raygate.Unavailable) as refused:
        ask(server, "predict", "credit-risk", ROW)
    error = refused.value
    assert (error.status, error.code, error.retry_after) == (503, "OVERLOADED", 7.0)
    assert str(error) == "too many requests wait: 512 rows wait (OVERLOADED)"
    assert len(server.requests) == 1, "a server that asks for more patience than the policy has is left alone"


def test_the_last_failure_is_raised_when_attempts_are_used_up(ask, script):
    server = script(*[httpx.ConnectError("refused")] * 4)
    with pytest.raises(
        raygate.NoAnswer, match=r"http://gateway gave no answer in 4 attempts: ConnectError refused"
    ):
        ask(server, "predict", "credit-risk", ROW)


def test_a_single_attempt_can_be_asked_for(ask, script):
    server = script(answered(BUSY, 503))
    with pytest.raises(raygate.Unavailable):
        ask(server, "predict", "credit-risk", ROW, settings={"retries": RetryPolicy(attempts=1)})


@pytest.mark.parametrize("key", [pytest.param(None, id="content-is-the-key"), pytest.param("k1", id="given-key")])
def test_feedback_is_the_same_message_over_retries(ask, script, key):
    server = script(httpx.ReadError("reset"), answered(BUSY, 503), answered(RECEIPT))
    assert ask(server, "feedback", "p1", "good", 12.5, idempotency_key=key).feedback_id == "f1"
    assert [request.headers.get("idempotency-key") for request in server.requests] == [key] * 3
    assert [sent(request) for request in server.requests] == [
        {"prediction_id": "p1", "label": "good", "value": 12.5}
    ] * 3


def test_a_false_label_is_a_label_and_a_given_key_is_used(ask, script):
    server = script(answered(RECEIPT))
    ask(server, "feedback", "p1", False, idempotency_key="k1")
    assert sent(server.requests[0]) == {"prediction_id": "p1", "label": False}
    assert server.requests[0].headers["idempotency-key"] == "k1"


def test_health_has_one_shape_for_one_endpoint_and_for_many(ask, script):
    only = {
        "status": "healthy",
        "model_loaded": True,
        "model_version": "1.0.0",
        "last_prediction": None,
        "latency_p95_ms": None,
        "model_id": "credit-risk",
    }
    one = ask(script(answered(only)), "health", "credit-risk")
    many = ask(script(answered({"status": "degraded", "endpoints": [only, only]})), "health")
    assert (one.status, [endpoint.model_id for endpoint in one.endpoints]) == ("healthy", ["credit-risk"])
    assert (many.status, len(many.endpoints)) == ("degraded", 2)


@pytest.mark.parametrize(
    ("response", "is_ready", "endpoints"),
    [
        pytest.param(lambda: answered({"status": "ready", "endpoints": []}), True, 0, id="ready"),
        pytest.param(
            lambda: answered(
                {
                    "status": "not ready",
                    "endpoints": [{"model_id": "m", "ready": False, "policy_epoch": 1, "versions": []}],
                },
                503,
            ),
            False,
            1,
            id="not-ready",
        ),
        pytest.param(lambda: httpx.Response(503, text="<html>"), False, 0, id="no-gateway-behind-the-proxy"),
    ],
)
def test_not_being_ready_is_an_answer_and_no_error(ask, script, response, is_ready, endpoints):
    server = script(response())
    readiness = ask(server, "ready")
    assert (readiness.ready, len(readiness.endpoints)) == (is_ready, endpoints)
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", list(Code))
def test_every_code_of_the_api_has_its_error(code):
    assert code.value in BY_CODE


@pytest.mark.parametrize(
    ("attempt", "retry_after", "draw", "pause"),
    [
        pytest.param(1, None, 0.5, 0.05, id="first"),
        pytest.param(3, None, 0.5, 0.2, id="doubles"),
        pytest.param(9, None, 0.5, 1.0, id="bounded"),
        pytest.param(1, 2.0, 0.5, 2.05, id="what-the-server-asks-for-and-a-little"),
        pytest.param(1, 2.1, 0.5, None, id="more-than-the-bound"),
        pytest.param(10, None, 0.5, None, id="last"),
    ],
)
def test_pauses_grow_with_jitter_and_respect_the_server(attempt, retry_after, draw, pause):
    policy = RetryPolicy(attempts=10, first_pause_seconds=0.1, longest_pause_seconds=2.0)
    assert policy.pause(attempt, retry_after, draw) == pytest.approx(pause)


def test_nobody_listening_is_an_error_with_the_address():
    client = raygate.Client("http://127.0.0.1:9", retries=RetryPolicy(attempts=1))
    with client, pytest.raises(raygate.NoAnswer, match=r"http://127\.0\.0\.1:9"):
        client.models()


def test_importing_the_client_brings_no_ray_no_web_framework_and_no_pandas():
    heavy = "{'ray', 'fastapi', 'starlette', 'pandas', 'mlflow', 'redis'}"
    command = f"import sys, deployments.client; print(sorted({heavy} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
