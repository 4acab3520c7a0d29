"""No input gives a 500, on the served document and over the real ingress."""

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance, unsupported_method

EXAMPLES = 60
NOT_CHECKED = [
    ignored_auth,  # it takes the credential of the call's headers for none
    positive_data_acceptance,  # the document cannot say which columns a tensor may have, nor which ids are known
]


@pytest.fixture(scope="session")
def served_schema(stack):
    return schemathesis.openapi.from_url(f"{stack.api_url}/openapi.json", headers=stack.headers)


@pytest.mark.parametrize("authenticated", [True, False], ids=["authenticated", "not-authenticated"])
def test_schemathesis_finds_no_input_that_breaks_the_served_document(stack, served_schema, authenticated):
    operations = [found.ok() for found in served_schema.get_all_operations()]
    assert {operation.label for operation in operations} >= {
        "POST /api/v1/predict",
        "GET /health",
        "GET /ready",
        "GET /api/v1/models",
    }
    for operation in operations:
        _no_server_error(operation, stack.headers if authenticated else {})


def test_schemathesis_finds_no_input_that_breaks_the_controllers_admin_api(stack):
    """On names of endpoints that are not there; tests/unit/rollout/test_admin_fuzz.py has one that is."""
    schema = schemathesis.openapi.from_url(f"{stack.settings.control_url}/openapi.json", headers=stack.headers)
    operations = {found.ok().label: found.ok() for found in schema.get_all_operations()}
    del operations["POST /api/v1/models/reload"]  # takes no input, and would change what the other tests ask
    assert {"PUT /api/v1/admin/endpoints/{endpoint}", "GET /api/v1/admin/endpoints"} <= operations.keys()
    for operation in operations.values():
        _no_server_error(operation, stack.headers, [*NOT_CHECKED, unsupported_method])


def negative(operation):
    """What breaks the schema, where it says anything that can be broken."""
    if not operation.body and not operation.query:
        return st.nothing()
    return operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)


def _no_server_error(operation, headers, not_checked=NOT_CHECKED):
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE) | negative(operation))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        database=None,
    )
    def every_answer_is_as_documented(case):
        case.call_and_validate(headers=headers, excluded_checks=not_checked)

    every_answer_is_as_documented()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def test_no_value_in_a_feature_gives_a_500(stack, rows):
    with httpx.Client(base_url=stack.api_url, headers=stack.headers, timeout=30) as client:

        @given(st.sampled_from(sorted(rows[0])), JSON_VALUES)
        @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        def any_value(feature, value):
            import json

            body = json.dumps({"model_id": "credit-risk", "features": {**rows[0], feature: value}})
            response = client.post("/api/v1/predict", content=body.encode("utf-8", "surrogatepass"))
            assert response.status_code < 500, (feature, value, response.text)
            if response.status_code >= 400:
                assert set(response.json()) == {"error", "details", "code"}

        any_value()


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(b"", 400, id="empty"),
        pytest.param(b"{", 400, id="not-json"),
        pytest.param(b"\xff\xfe", 400, id="not-utf8"),
        pytest.param(b"[" * 200_000, 400, id="too-deep"),
        pytest.param(b'{"model_id": "credit-risk", "features": [{"Age": NaN}]}', 422, id="nan"),
        pytest.param(b'{"model_id": "nobody", "features": {}}', 404, id="unknown-model"),
        pytest.param(b" " * 2_000_000, 413, id="two-megabytes"),
    ],
)
def test_a_malformed_body_is_refused_over_the_real_ingress(stack, content, status):
    response = httpx.post(stack.predict_url, content=content, headers=stack.headers, timeout=30)
    assert response.status_code == status
    assert set(response.json()) == {"error", "details", "code"}


def test_strange_headers_are_no_reason_for_a_500(stack, rows):
    for value in (b"", b"\xe9", b"x" * 4000, "ü".encode()):
        response = httpx.post(
            stack.predict_url,
            json={"model_id": "credit-risk", "features": rows[0]},
            headers=[
                (b"x-user-id", value),
                *((name.encode(), text.encode()) for name, text in stack.headers.items()),
            ],
            timeout=30,
        )
        assert response.status_code == 200, response.text


@pytest.mark.parametrize("value", [1e308, -1e308, 3.5e38, 1e-320, -0.0, 2**63, -(2**63)], ids=str)
def test_the_most_extreme_numbers_are_answered_or_refused(stack, rows, value):
    features = {**rows[0], "Income": value, "Assets": value, "Debt": value}
    for _ in range(8):  # both versions
        response = stack.predict(features)
        assert response.status_code in (200, 422), response.text
