"""What callers, feedback and the log see of a model that predicts several quantities."""

import json

import numpy as np
import pytest
from gateway_stack import V1, V2, V3, Stack

from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.prediction_log import prediction_rows

TARGETS = ("width", "height")
SCHEMA = FeatureSchema(features=(Feature(name="size", kind=FeatureKind.NUMBER),))


def twice_and_thrice(columns):
    return np.column_stack([2 * columns.numeric[:, 0], 3 * columns.numeric[:, 0]])


class Parcels(Stack):
    def __init__(self):
        super().__init__(SCHEMA)
        for version in (V1, V2, V3):
            pool = self.pool(version)
            pool.model, pool.classes, pool.targets = twice_and_thrice, (), TARGETS


@pytest.fixture
def ask(run):
    def one(*bodies):
        async def scenario():
            stack = Parcels()
            await stack.start()
            answers = [await stack.predict(row) for row in bodies]
            return stack, answers

        return run(scenario())

    return one


def test_a_prediction_is_an_object_by_target_name(ask):
    _, (one, many) = ask({"size": 1.5}, [{"size": 1.0}, {"size": 2.0}])
    assert one.json()["prediction"] == {"width": 3.0, "height": 4.5}
    assert "probability" not in one.json()
    assert [row["prediction"] for row in many.json()["predictions"]] == [
        {"width": 2.0, "height": 3.0},
        {"width": 4.0, "height": 6.0},
    ]


def test_the_api_document_allows_it(run):
    async def scenario():
        stack = Parcels()
        await stack.start()
        return (await stack.request("GET", "/openapi.json")).json()

    shape = run(scenario())["components"]["schemas"]["PredictResponse"]["properties"]["prediction"]
    assert "object" in json.dumps(shape)


@pytest.mark.parametrize(
    ("label", "status"),
    [
        pytest.param({"width": 3, "height": 4.0}, 200, id="both"),
        pytest.param({"width": 3.0}, 422, id="one-is-missing"),
        pytest.param({"width": 3.0, "height": 4.0, "depth": 1.0}, 422, id="one-too-many"),
        pytest.param(3.0, 422, id="a-number"),
    ],
)
def test_feedback_tells_the_true_value_of_every_target(run, label, status):
    async def scenario():
        stack = Parcels()
        await stack.start()
        made = (await stack.predict({"size": 1.0})).json()["prediction_id"]
        answer = await stack.request("POST", "/api/v1/feedback", json={"prediction_id": made, "label": label})
        return answer, stack.records.feedbacks

    answer, kept = run(scenario())
    assert answer.status_code == status, answer.text
    assert len(kept) == (status == 200)
    if status != 200:
        assert "an object with a number for each of width, height" in answer.text


def test_the_log_has_the_values_as_json_and_as_scores(ask):
    stack, _ = ask([{"size": 1.0}, {"size": 2.0}])
    (record,) = stack.records.requests
    table = prediction_rows.batch([(1, record)], "gateway-1", None)
    assert [json.loads(text) for text in table["prediction"].to_pylist()] == [
        {"width": 2.0, "height": 3.0},
        {"width": 4.0, "height": 6.0},
    ]
    assert table["scores"].to_pylist() == [[2.0, 3.0], [4.0, 6.0]]
