"""A path of an endpoint's own: documents through the gateway, transformed in the pool."""

import asyncio

import jsonschema
import pytest
from document_gateway import OFFERS, DocumentGateway

from deployments.access.access import Access
from deployments.contracts.request_record import Stage
from deployments.contracts.traffic_policy import Expressions

WISH = {"nights": 2, "view": "sea"}


@pytest.fixture
def play(stays):
    def go(scenario, access=None, **start):
        async def run():
            gateway = DocumentGateway(stays, access)
            await gateway.start(**start)
            return await asyncio.wait_for(scenario(gateway), 20)

        return asyncio.run(run())

    return go


def test_a_caller_gets_what_the_post_transformer_made_and_nothing_else(play):
    async def scenario(gateway):
        response = await gateway.ask(WISH)
        assert response.status_code == 200
        assert list(response.json()) == ["price", "chance", "version"]
        assert response.json()["price"] == 240.0
        assert response.headers["x-model-version"] == "1.0.0"
        (record,) = gateway.records
        assert record.prediction_ids == [response.headers["x-prediction-id"]]
        assert [feature.name for feature in record.schema.features] == ["nights", "rate", "weekend"]
        assert record.numbers[:2] == [2.0, 120.0]
        counts = gateway.counters.of("stays", "1.0.0")
        assert (counts.requests, counts.rows, sum(counts.labels.values())) == ({"OK": 1}, 1, 1)

    play(scenario)


@pytest.mark.parametrize(
    ("document", "status", "code", "details"),
    [
        pytest.param(
            {"nights": 0, "view": "sea"}, 422, "VALIDATION_ERROR", "nights: Input should be", id="refused"
        ),
        pytest.param([WISH], 400, "MALFORMED_REQUEST", "must be a JSON object", id="no-object"),
        pytest.param(
            {"nights": 1, "view": "bug"},
            500,
            "TRANSFORMER_ERROR",
            "the pre-transformer of stays_v1.0.0 failed: it raised KeyError",
            id="pre-fails",
        ),
        pytest.param(
            {"nights": 13, "view": "sea"},
            500,
            "TRANSFORMER_ERROR",
            "the post-transformer of stays_v1.0.0 failed: it raised ValueError",
            id="post-fails",
        ),
    ],
)
def test_whose_fault_it_is_shows_in_the_code(play, document, status, code, details):
    async def scenario(gateway):
        response = await gateway.ask(document)
        told = response.json()
        assert (response.status_code, told["code"], details in told["details"]) == (status, code, True)
        assert not gateway.records

    play(scenario)


def test_the_path_is_shared_by_a_field(play):
    async def scenario(gateway):
        assert (await gateway.ask(WISH)).status_code == 200
        refused = await gateway.ask({**WISH, "view": "garden"})
        assert (refused.status_code, refused.json()["details"]) == (422, "view: must be one of sea")

    play(scenario, field="view", value="sea")


def test_documents_of_several_callers_leave_in_one_call(play):
    async def scenario(gateway):
        views = [*["sea"] * 10, "moon", "street", *["garden"] * 10]
        responses = await asyncio.gather(*(gateway.ask({"nights": 2, "view": view}) for view in views))
        assert [response.status_code for response in responses] == [*[200] * 10, 500, 422, *[200] * 10]
        assert [r.json()["price"] for r in responses if r.status_code == 200] == [240.0] * 10 + [160.0] * 10
        assert len(gateway.pools["stays_v1.0.0"].calls) < len(views)

    play(scenario)


def test_features_are_taken_as_ever_where_documents_are_too(play):
    async def scenario(gateway):
        features = {"nights": 2, "rate": 120.0, "weekend": True}
        body = {"model_id": "stays", "features": features, "options": {"return_probabilities": True}}
        response = await gateway.request("POST", "/api/v1/predict", json=body)
        assert response.status_code == 200
        assert set(response.json()["probabilities"]) == {"no", "yes"}

    play(scenario)


def test_a_shadow_gets_the_document_too(play):
    async def scenario(gateway):
        await gateway.ask(WISH)
        while len(gateway.records) < 2:  # noqa: ASYNC110 - nobody can wait for a copy
            await asyncio.sleep(0.001)
        live, copy = gateway.records
        assert (live.stage, copy.stage) == (Stage.LIVE, Stage.SHADOW)
        assert copy.numbers[:2] == live.numbers[:2]
        assert gateway.counters.of("stays", "1.1.0").shadow_rows == 1

    play(scenario, shadow=True)


def test_an_answer_in_anothers_place_says_in_whose(play):
    async def scenario(gateway):
        gateway.pools["stays_v1.1.0"].is_down = True
        response = await gateway.ask(WISH)
        assert (response.headers["x-model-version"], response.headers["x-failover-from"]) == ("1.0.0", "1.1.0")

    play(scenario, candidate=True)


def test_a_pool_that_has_no_transformers_yet_cannot_answer_documents(play):
    async def scenario(gateway):
        assert (await gateway.ask(WISH)).status_code == 503
        for pool in gateway.pools.values():
            await pool.pool.reconfigure(
                {
                    "target_utilisation": 0.7,
                    "transformers": {"pre": "stays.documents:to_features", "post": "stays.documents:to_answer"},
                }
            )
        await gateway.known.probe(tuple(endpoint.policy for endpoint in gateway.scoring.endpoints.values()))
        assert (await gateway.ask(WISH)).status_code == 200

    play(scenario, named=False)


def test_openapi_shows_the_types_of_the_transformers(play):
    async def scenario(gateway):
        made = (await gateway.request("GET", "/openapi.json")).json()
        operation = made["paths"][OFFERS]["post"]
        (request,) = operation["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
        schema = {**request, "components": made["components"]}
        jsonschema.Draft202012Validator(schema).validate(WISH)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema).validate({"nights": 0, "view": "sea"})
        answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
        found = (await gateway.ask(WISH)).json()
        jsonschema.Draft202012Validator({**answer, "components": made["components"]}).validate(found)
        assert operation["security"]

    play(scenario)


def test_expressions_answer_in_the_pool_and_openapi_shows_their_types(play):
    async def scenario(gateway):
        asked = {"stay": "short", "nights": 2, "rate": 120, "day": "sun"}
        response = await gateway.ask(asked)
        assert response.status_code == 200, response.text
        assert response.json() == {"price": 288.0, "booked": True}
        refused = await gateway.ask({**asked, "nights": "two"})
        assert (refused.status_code, refused.json()["details"]) == (422, "nights: Input should be a valid number")
        failed = await gateway.ask({**asked, "nights": 0, "rate": 0})
        assert (failed.status_code, failed.json()["code"]) == (500, "TRANSFORMER_ERROR")
        assert "the pre-transformer of stays_v1.0.0 failed" in failed.json()["details"]
        schemas = (await gateway.request("GET", "/openapi.json")).json()["components"]["schemas"]
        told = {name: schema["type"] for name, schema in schemas["stays_answer"]["properties"].items()}
        assert told == {"price": "number", "booked": "boolean"}
        assert schemas["stays_document"]["required"] == ["nights", "rate", "day"]

    play(
        scenario,
        field="stay",
        value="short",
        pre=Expressions(expressions={"weekend": "day == 'sun'", "rate": "rate * (nights / nights)"}),
        post=Expressions(
            expressions={
                "price": "nights * rate * (1.2 if weekend else 1)",
                "booked": "probability('yes') >= 0.65",
            }
        ),
    )


def test_nobody_uses_the_path_without_a_credential(play):
    class Nobody:
        def authenticate(self, headers, in_browser=False):
            from deployments.access.errors import Unauthenticated

            raise Unauthenticated("no key")

    async def scenario(gateway):
        assert (await gateway.ask(WISH)).status_code == 401

    play(scenario, access=Access(Nobody()))
