import pytest

from deployments.streaming.fate import Fate, fate
from deployments.streaming.record import unit_of


@pytest.mark.parametrize(
    ("status", "code", "attempt", "expected"),
    [
        pytest.param(200, "", 1, Fate.RESULT, id="answer"),
        pytest.param(422, "VALIDATION_ERROR", 1, Fate.REJECTED, id="does-not-fit"),
        pytest.param(413, "BODY_TOO_LARGE", 1, Fate.REJECTED, id="too-large"),
        pytest.param(500, "MODEL_ERROR", 1, Fate.REJECTED, id="model-raised"),
        pytest.param(500, "TRANSFORMER_ERROR", 1, Fate.REJECTED, id="transformer-raised"),
        pytest.param(500, "INTERNAL_ERROR", 4, Fate.AGAIN, id="unforeseen-may-pass"),
        pytest.param(500, "INTERNAL_ERROR", 5, Fate.REJECTED, id="unforeseen-does-not-stop-a-partition"),
        pytest.param(500, "", 99, Fate.AGAIN, id="a-proxy-says-500"),
        pytest.param(404, "MODEL_NOT_FOUND", 99, Fate.AGAIN, id="gateway-knows-no-endpoint-yet"),
        pytest.param(429, "RATE_LIMITED", 99, Fate.AGAIN, id="rate"),
        pytest.param(503, "OVERLOADED", 99, Fate.AGAIN, id="overloaded"),
        pytest.param(504, "DEADLINE_EXCEEDED", 99, Fate.SUSPECTED, id="model-hangs-or-is-slow"),
        pytest.param(503, "MODEL_UNAVAILABLE", 99, Fate.SUSPECTED, id="model-dies-or-is-away"),
        pytest.param(0, "", 99, Fate.AGAIN, id="no-answer"),
        pytest.param(401, "UNAUTHENTICATED", 1, Fate.REFUSED, id="no-credential"),
        pytest.param(403, "FORBIDDEN", 1, Fate.REFUSED, id="no-role"),
    ],
)
def test_an_answer_decides_what_becomes_of_a_record(status, code, attempt, expected):
    assert fate(status, code, attempt) is expected


@pytest.mark.parametrize(
    ("key", "unit"),
    [
        pytest.param(b"ada", "ada", id="text"),
        pytest.param("José".encode(), "José", id="utf-8"),
        pytest.param(b"a\r\nx-admin: 1", b"a\r\nx-admin: 1".hex(), id="no-header-can-be-smuggled"),
        pytest.param(b"\xff\x00", "ff00", id="bytes"),
        pytest.param(b" ada", b" ada".hex(), id="a-header-would-lose-spaces"),
    ],
)
def test_a_key_is_the_unit_of_its_record(key, unit):
    assert unit_of(key) == unit
