"""The hot path and what stands behind it, over ASGI, with pools in memory."""

import asyncio
import json
import re
from datetime import datetime

import pytest
from gateway_stack import PREDICT, V1, V2, Stack

from deployments.contracts.traffic_policy import StickyBy
from deployments.routing.slot_table import SlotTable


@pytest.fixture
def ask(schema, run):
    """Send one request to a fresh stack; returns response and stack."""

    def one(method="POST", path=PREDICT, draws=(), limits=None, broken=(), **arguments):
        async def scenario():
            stack = Stack(schema, draws, **(limits or {}))
            for name in broken:
                stack.pools[name].failures = [ConnectionError("down")] * 20
            await stack.start()
            return await stack.request(method, path, **arguments), stack

        return run(scenario())

    return one


def body(row, **more):
    return {"model_id": "credit-risk", "features": row, **more}


def test_one_row_is_answered_in_the_promised_shape(ask, row):
    response, _ = ask(json=body(row))
    answer = response.json()
    assert response.status_code == 200
    assert list(answer) == ["model_id", "model_version", "prediction", "probability", "prediction_id", "timestamp"]
    assert (answer["model_id"], answer["model_version"]) == ("credit-risk", "1.0.0")
    assert (answer["prediction"], answer["probability"]) == ("good", 0.75)
    assert answer["timestamp"].endswith("Z")
    assert datetime.fromisoformat(answer["timestamp"]).utcoffset().total_seconds() == 0


def test_the_probability_is_that_of_the_returned_label(ask, row):
    response, _ = ask(json=body({**row, "Income": 0.9}, options={"return_probabilities": True}))
    answer = response.json()
    assert (answer["prediction"], answer["probability"]) == ("bad", 0.9)
    assert answer["probabilities"] == {"good": pytest.approx(0.1), "bad": 0.9}


def test_a_list_of_rows_is_answered_row_by_row(ask, row):
    response, _ = ask(json=body([row, {**row, "Income": 0.9}]))
    answer = response.json()
    assert [entry["prediction"] for entry in answer["predictions"]] == ["good", "bad"]
    assert len({entry["prediction_id"] for entry in answer["predictions"]}) == 2
    assert "prediction" not in answer


def test_an_unseen_category_is_answered_and_told(ask, row):
    response, _ = ask(json=body({**row, "Job": "astronaut"}))
    assert response.status_code == 200
    assert response.json()["warnings"] == [
        {"row": 0, "field": "Job", "message": "training never saw this category"}
    ]


@pytest.mark.parametrize(
    ("content", "status", "code", "details"),
    [
        pytest.param(b"{", 400, "MALFORMED_REQUEST", "not JSON", id="not-json"),
        pytest.param(b"", 400, "MALFORMED_REQUEST", "not JSON", id="empty"),
        pytest.param(b"[1]", 400, "MALFORMED_REQUEST", "JSON object", id="not-an-object"),
        pytest.param(b"\xff\xfe", 400, "MALFORMED_REQUEST", "not JSON", id="not-utf8"),
        pytest.param(b"[" * 100_000, 400, "MALFORMED_REQUEST", "not JSON", id="too-deep"),
        pytest.param(b'{"features": {}}', 422, "VALIDATION_ERROR", "model_id", id="no-model"),
        pytest.param(b'{"model_id": "credit-risk"}', 422, "VALIDATION_ERROR", "features", id="no-features"),
        pytest.param(
            b'{"model_id": "credit-risk", "features": []}', 422, "VALIDATION_ERROR", "at least one", id="no-row"
        ),
        pytest.param(b'{"model_id": "x\\"", "features": {}}', 404, "MODEL_NOT_FOUND", "credit-risk", id="unknown"),
        pytest.param(
            b'{"model_id": "credit-risk", "features": [{}], "extra": 1}',
            422,
            "VALIDATION_ERROR",
            "extra",
            id="extra",
        ),
        pytest.param(
            b'{"model_id": "credit-risk", "features": {}, "options": {"return_probabilities": 1}}',
            422,
            "VALIDATION_ERROR",
            "options.return_probabilities",
            id="option-type",
        ),
        pytest.param(
            b'{"model_id": "credit-risk", "features": [{}, {"Age": NaN}]}',
            422,
            "VALIDATION_ERROR",
            "features[1].Age: must be a finite number",
            id="nan",
        ),
        pytest.param(
            b'{"model_id": "credit-risk", "features": {"Age": -Infinity}}',
            422,
            "VALIDATION_ERROR",
            "features.Age: must be a finite number",
            id="infinity",
        ),
        pytest.param(
            b'{"model_id": "credit-risk", "features": {"Age": 1e999}}',
            422,
            "VALIDATION_ERROR",
            "Age",
            id="overflow",
        ),
    ],
)
def test_a_bad_request_gets_a_4xx_in_the_envelope(ask, content, status, code, details):
    response, stack = ask(content=content)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code)
    assert set(problem) == {"error", "details", "code"}
    assert details in problem["details"]
    assert sum(count.requests.get(code, 0) for count in stack.counters.snapshot(0, {}, {}).versions.values()) == 1


def test_too_many_rows_are_refused_with_the_limit(ask, row):
    response, _ = ask(json=body([row] * 4), limits={"maxRows": 3})
    assert response.status_code == 422
    assert "has 4 rows; at most 3" in response.json()["details"]


def test_too_large_a_body_is_refused_before_it_is_parsed(ask, row):
    response, _ = ask(content=b" " * 5000, limits={"maxBodyBytes": 4096})
    assert (response.status_code, response.json()["code"]) == (413, "BODY_TOO_LARGE")


def test_a_unit_nested_a_thousand_deep_is_a_refused_row_and_no_crash(schema, row, run):
    async def scenario():
        stack = Stack(schema)
        stack.policy = stack.policy.model_copy(update={"sticky_by": StickyBy(feature="Age")})
        await stack.start()
        deep = "[" * 1010 + "]" * 1010
        content = '{"model_id": "credit-risk", "features": {"Age": ' + deep + "}}"
        return await stack.request("POST", PREDICT, content=content)

    assert run(scenario()).status_code == 422


def test_a_pool_that_never_answers_is_a_504_at_the_deadline(schema, row, run):
    async def scenario():
        stack = Stack(schema, deadlineSeconds=0.05)
        await stack.start()
        stack.pools["credit_risk_v1.0.0"].gate = asyncio.Event()
        return await stack.request("POST", PREDICT, json=body(row))

    response = run(scenario())
    assert (response.status_code, response.json()["code"]) == (504, "DEADLINE_EXCEEDED")


def test_too_large_a_body_of_unknown_length_is_refused_too(ask):
    async def chunks():
        for _ in range(10):
            yield b" " * 1000

    response, _ = ask(content=chunks(), limits={"maxBodyBytes": 4096})
    assert response.status_code == 413


def test_a_sticky_caller_keeps_its_version_and_others_draw(ask, row):
    versions = {
        ask(json=body(row), headers={"x-user-id": "u1"}, draws=[d])[0].json()["model_version"] for d in (0, 0.99)
    }
    assert len(versions) == 1
    drawn = [ask(json=body(row), draws=[draw])[0].json()["model_version"] for draw in (0.0, 0.95)]
    assert drawn == ["1.0.0", "1.1.0"]


def test_a_stable_pool_that_cannot_answer_gives_503_with_retry_after(ask, row):
    response, stack = ask(json=body(row), draws=[0.0], broken=["credit_risk_v1.0.0"])
    assert (response.status_code, response.json()["code"]) == (503, "MODEL_UNAVAILABLE")
    assert int(response.headers["retry-after"]) > 0
    assert stack.counters.of("credit_risk", "1.0.0").requests == {"MODEL_UNAVAILABLE": 1}


def test_a_row_that_the_model_fails_on_carries_its_own_error(schema, row, run):
    async def scenario():
        stack = Stack(schema)
        stack.pools["credit_risk_v1.0.0"].row_errors = {"freelance": "not_finite"}
        await stack.start()
        rows = [row, {**row, "Job": "freelance"}]
        many = await stack.request("POST", PREDICT, json=body(rows))
        return stack, many, await stack.request("POST", PREDICT, json=body(rows[1]))

    stack, many, single = run(scenario())
    counts = stack.counters.of("credit_risk", "1.0.0")
    assert (counts.rows, counts.row_errors) == (1, {"UNSCORABLE_ROW": 2})
    good, bad = many.json()["predictions"]
    assert many.status_code == 200
    assert good["prediction"] == "good"
    assert (bad["prediction"], bad["error"]["code"]) == (None, "UNSCORABLE_ROW")
    assert (single.status_code, single.json()["code"]) == (422, "UNSCORABLE_ROW")


def test_a_defect_in_the_gateway_tells_the_caller_nothing_of_it(schema, row, run):
    async def scenario():
        stack = Stack(schema)
        await stack.start()
        stack.scoring.endpoints["credit-risk"].versions[V1].dispatcher.submit = None
        return await stack.request("POST", PREDICT, json=body(row))

    response = run(scenario())
    assert (response.status_code, response.json()["code"]) == (500, "INTERNAL_ERROR")
    assert "NoneType" not in response.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        pytest.param("GET", PREDICT, 405, "METHOD_NOT_ALLOWED", id="predict-by-get"),
        pytest.param("GET", "/nowhere", 404, "NOT_FOUND", id="no-such-path"),
        pytest.param("GET", "/health?model_id=nobody", 404, "MODEL_NOT_FOUND", id="health-of-nobody"),
    ],
)
def test_what_the_framework_refuses_leaves_in_the_same_envelope(ask, method, path, status, code):
    response, _ = ask(method, path)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_ready_needs_the_stable_pool_and_only_that(ask):
    dark_candidate, _ = ask("GET", "/ready", broken=["credit_risk_v1.1.0"])
    dark_stable, _ = ask("GET", "/ready", broken=["credit_risk_v1.0.0"])
    assert dark_candidate.status_code == 200
    versions = dark_candidate.json()["endpoints"][0]["versions"]
    assert [(version["version"], version["ready"]) for version in versions] == [("1.0.0", True), ("1.1.0", False)]
    assert dark_stable.status_code == 503


def test_health_tells_the_last_prediction_and_the_p95(schema, row, run):
    async def scenario():
        stack = Stack(schema)
        await stack.start()
        before = await stack.request("GET", "/health")
        await stack.request("POST", PREDICT, json=body(row))
        return before.json(), (await stack.request("GET", "/health?model_id=credit-risk")).json()

    before, after = run(scenario())
    assert before["last_prediction"] is None
    assert (after["status"], after["model_loaded"], after["model_version"]) == ("healthy", True, "1.0.0")
    assert after["latency_p95_ms"] > 0
    assert datetime.fromisoformat(after["last_prediction"])


def test_models_lists_versions_with_weights_and_features(ask):
    response, _ = ask("GET", "/api/v1/models")
    (model,) = response.json()["models"]
    assert [(version["version"], version["weight"]) for version in model["versions"]] == [
        ("1.0.0", 90),
        ("1.1.0", 10),
    ]
    assert [feature["name"] for feature in model["versions"][0]["features"]] == ["Income", "Age", "Owner", "Job"]


def test_openapi_has_one_typed_feature_schema_a_model(ask):
    response, _ = ask("GET", "/openapi.json")
    document = response.json()
    features = document["components"]["schemas"]["credit_risk_features"]
    assert features["required"] == ["Age", "Owner"]
    assert features["properties"]["Income"]["type"] == ["number", "null"]
    request = document["paths"][PREDICT]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert request == {"oneOf": [{"$ref": "#/components/schemas/credit_risk_request"}]}
    assert document["info"]["version"] == "1.2.3"


def test_the_docs_page_takes_script_and_style_from_the_gateway(ask):
    page = ask("GET", "/docs")[0].text
    files = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert any(file.endswith(".js") for file in files)
    for file in files:
        assert ask("GET", file)[0].status_code == 200, file


def test_every_reference_in_the_openapi_document_leads_somewhere(ask):
    document = ask("GET", "/openapi.json")[0].json()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    text = json.dumps(document)
    used = {part.split('"')[0] for part in text.split('"$ref": "')[1:]}
    assert used
    assert used <= known


def test_a_pool_that_comes_up_late_is_found_by_the_probe(schema, row, run):
    async def scenario():
        stack = Stack(schema, draws=[0.95, 0.95])
        stack.pools["credit_risk_v1.1.0"].failures = [ConnectionError("starting")]
        pools = await stack.start()
        before = await stack.request("POST", PREDICT, json=body(row))
        changed = await pools.probe((stack.policy,))
        stack.scoring.serve(pools.endpoints((stack.policy,)))
        after = await stack.request("POST", PREDICT, json=body(row))
        return before.json()["model_version"], changed, after.json()["model_version"]

    assert run(scenario()) == ("1.0.0", True, "1.1.0")


def test_a_new_policy_does_not_disturb_rows_that_wait(schema, row, run):
    async def scenario():
        stack = Stack(schema)
        pools = await stack.start()
        gate = stack.pools["credit_risk_v1.0.0"].gate = asyncio.Event()
        waiting = asyncio.create_task(stack.request("POST", PREDICT, json=body(row)))
        await asyncio.sleep(0.01)
        policy = stack.policy.model_copy(update={"slots": SlotTable.of({V2: 100}).runs})
        stack.scoring.serve(await pools.serve((policy,)))
        after = await stack.request("POST", PREDICT, json=body(row))
        gate.set()
        return (await waiting).json()["model_version"], after.json()["model_version"]

    assert run(scenario()) == ("1.0.0", "1.1.0")
