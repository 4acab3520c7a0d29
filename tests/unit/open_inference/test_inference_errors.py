"""What goes wrong leaves in the protocol's form, with the status that fits, and is counted."""

import json

import httpx
import pytest

INFER = "/v2/models/credit-risk/infer"
AGE = {"name": "Age", "datatype": "FP64", "shape": [1], "data": [30]}
OWNER = {"name": "Owner", "datatype": "BOOL", "shape": [1], "data": [True]}


def post(server, path=INFER, **arguments):
    return httpx.post(server.url + path, **arguments)


@pytest.mark.parametrize(
    ("path", "inputs", "status", "told"),
    [
        pytest.param(INFER, [AGE], 422, "inputs.Owner[0]: is required (true or false)", id="feature-missing"),
        pytest.param(
            INFER,
            [AGE, {**OWNER, "datatype": "BYTES", "data": ["yes"]}],
            422,
            "inputs.Owner[0]: must be true or false, not 'yes'",
            id="another-type-than-the-feature",
        ),
        pytest.param(
            INFER,
            [AGE, OWNER, {**AGE, "name": "Shoes"}],
            422,
            "inputs.Shoes[0]: is not a feature",
            id="no-feature",
        ),
        pytest.param(INFER, [], 422, "inputs: is required", id="no-tensor"),
        pytest.param("/v2/models/nobody/infer", [AGE, OWNER], 404, "served: credit-risk", id="no-such-model"),
        pytest.param(
            "/v2/models/credit-risk/versions/9.9.9/infer", [AGE], 404, "known: 1.0.0, 1.1.0", id="no-such-version"
        ),
        pytest.param("/v2/models/credit-risk/versions/one/infer", [AGE], 404, "one", id="not-a-version"),
    ],
)
def test_a_bad_inference_is_refused_in_one_text(server, path, inputs, status, told):
    response = post(server, path, json={"inputs": inputs})
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert told in response.json()["error"]


@pytest.mark.parametrize(
    ("content", "headers", "status", "told"),
    [
        pytest.param(b"{", {}, 400, "not JSON", id="not-json"),
        pytest.param(b" " * 70_000, {}, 413, "at most 65536 bytes", id="too-large"),
        pytest.param(b"{}", {"inference-header-content-length": "9"}, 400, "the body has 2 bytes", id="header"),
        pytest.param(b"\x1f\x8b", {"content-encoding": "gzip"}, 400, "gzip is not accepted", id="compressed"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(server, content, headers, status, told):
    response = post(server, content=content, headers=headers)
    assert response.status_code == status
    assert told in response.json()["error"]


@pytest.mark.parametrize(
    "texts",
    [pytest.param(r'"data": ["\ud800"]', id="value"), pytest.param(r'"data": ["x"], "\ud800": 1', id="field")],
)
def test_half_of_a_surrogate_pair_is_refused_before_anything_is_predicted(server, texts):
    calls = len(server.pools["credit_risk_v1.0.0"].calls)
    job = f'{{"name": "Job", "datatype": "BYTES", "shape": [1], {texts}}}'
    response = post(server, content=f'{{"inputs": [{json.dumps(AGE)}, {json.dumps(OWNER)}, {job}]}}'.encode())
    assert response.status_code == 400
    assert "half of a surrogate pair" in response.json()["error"]
    assert len(server.pools["credit_risk_v1.0.0"].calls) == calls


def test_an_id_that_cannot_be_sent_back_is_refused(server):
    response = post(server, content=json.dumps({"id": "\ud800", "inputs": [AGE, OWNER]}).encode())
    assert (response.status_code, "surrogate" in response.json()["error"]) == (400, True)


def test_an_unknown_output_is_refused_before_anything_is_predicted(server):
    calls = len(server.pools["credit_risk_v1.0.0"].calls)
    response = post(server, json={"inputs": [AGE, OWNER], "outputs": [{"name": "score"}]})
    assert response.status_code == 422
    assert "outputs[0].name: is not an output of this model" in response.json()["error"]
    assert len(server.pools["credit_risk_v1.0.0"].calls) == calls


@pytest.mark.parametrize(
    ("reasons", "status"),
    [({"fixed": "not_finite"}, 422), ({"fixed": "not_finite", "freelance": "model_error"}, 500)],
    ids=["no-finite-score", "model-raised"],
)
def test_a_row_without_a_score_fails_the_request_and_is_named(serve, reasons, status):
    texts = ["fixed", "other", "freelance"]
    inputs = [
        {"name": "Age", "datatype": "FP64", "shape": [3], "data": [30, 40, 50]},
        {"name": "Owner", "datatype": "BOOL", "shape": [3], "data": [True, True, True]},
        {"name": "Job", "datatype": "BYTES", "shape": [3], "data": texts},
    ]
    with serve(row_errors=reasons) as server:
        response = post(server, json={"inputs": inputs})
    failed = ", ".join(str(row) for row, text in enumerate(texts) if text in reasons)
    assert response.status_code == status
    assert response.json()["error"].endswith(f"(rows {failed})")


def test_every_refusal_is_counted_once(serve):
    with serve() as server:
        post(server, content=b"{")
        post(server, json={"inputs": [AGE]})
        post(server, json={"inputs": [AGE, OWNER]})
        counted = [dict(counts.requests) for counts in server.counters._versions.values()]
    merged = {code: sum(found.get(code, 0) for found in counted) for found in counted for code in found}
    assert merged == {"MALFORMED_REQUEST": 1, "VALIDATION_ERROR": 1, "OK": 1}
