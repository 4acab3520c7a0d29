"""What the next environment is asked, and smoke tests as comparisons."""

import json

import httpx
import pytest
import yaml
from rollout_examples import NAME, V1, V2, wanted_endpoint

from deployments.contracts.endpoint import ModelEndpoint
from deployments.contracts.environment import Environment
from deployments.contracts.model_version import Version
from deployments.contracts.prediction import ProblemDocument, RowPrediction
from ray_apps import smoke_tests
from ray_apps.promotion import PromotionRefused, TargetEnvironment

ENDPOINTS = "/api/v1/admin/endpoints"
PATH = f"{ENDPOINTS}/{NAME}"


class Production:
    """An admin API that keeps what it was asked."""

    def __init__(self, refuses=None, stable="1.0.0", traffic="split: {stable: 100}", alias=""):
        self.asked, self.refuses, self.stable = [], refuses, stable
        document = wanted_endpoint().document.model_dump(mode="json", by_alias=True, exclude_none=True)
        document["spec"]["traffic"] |= yaml.safe_load(f"{{{traffic}}}")
        if alias:
            document["spec"]["versions"][0]["alias"] = alias
        self.document = document

    def __call__(self, request):
        body = json.loads(request.content) if request.content else None
        self.asked.append((request.method, request.url.path, body))
        if request.method == self.refuses:
            return httpx.Response(409, json={"details": "the rollout x is progressing"})
        if request.url.path == ENDPOINTS:
            weights = {"1.0.0": 0.0, "1.1.0": 0.0, self.stable: 100.0}
            return httpx.Response(200, json=[{"endpoint": NAME, "stable": self.stable, "weights": weights}])
        if request.method == "GET":
            return httpx.Response(200, json=self.document)
        return httpx.Response(200, json={"rollout": "credit-risk-1.2.0-x"})


@pytest.fixture
def promoted(monkeypatch):
    monkeypatch.setenv("KEY", "rg_production")

    def promote(production, version):
        address = Environment(control_url="https://control.example", key="env:KEY")
        return TargetEnvironment("production", address, httpx.MockTransport(production)).promote(NAME, version)

    return promote


def test_a_version_that_is_there_begins_its_rollout(promoted):
    production = Production()
    assert promoted(production, V2) == "credit-risk-1.2.0-x"
    assert [(method, path) for method, path, _ in production.asked] == [("GET", PATH), ("POST", f"{PATH}/rollout")]
    assert production.asked[-1][2] == {"version": "1.1.0"}


def test_a_version_that_is_not_there_joins_as_a_candidate_without_traffic_first(promoted):
    production = Production()
    promoted(production, Version(1, 2, 0))
    *_, (method, path, document), _ = production.asked
    assert (method, path) == ("PUT", PATH)
    added = ModelEndpoint.model_validate(document).spec.versions[-1]
    assert (str(added.version), added.role) == ("1.2.0", "candidate")
    assert document["spec"]["traffic"]["split"] == {"1.0.0": 100}


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="by-roles"),
        pytest.param({"traffic": "split: {1.0.0: 90, 1.1.0: 10}"}, id="by-numbers"),
        pytest.param({"traffic": "shadow: [{version: 1.1.0}]"}, id="as-a-shadow"),
        pytest.param({"alias": "champion"}, id="after-an-alias"),
    ],
)
def test_a_promotion_there_that_the_file_does_not_know_of_keeps_its_traffic(promoted, more):
    production = Production(stable="1.1.0", **more)
    promoted(production, Version(1, 2, 0))
    document = ModelEndpoint.model_validate(production.asked[-2][2])
    assert document.spec.stable == V2
    assert document.spec.weights == {V1: 0, V2: 100, Version(1, 2, 0): 0}
    assert document.spec.versions[1].alias == more.get("alias")


def test_what_production_refuses_is_told_in_its_words(promoted):
    with pytest.raises(PromotionRefused, match="production does not take it: the rollout x is progressing"):
        promoted(Production(refuses="POST"), V2)


def answer(prediction, probability=None, error=None):
    problem = ProblemDocument(error=error, details="", code="MODEL_ERROR") if error else None
    return RowPrediction(prediction=prediction, probability=probability, prediction_id="p", error=problem)


@pytest.mark.parametrize(
    ("expected", "got", "told"),
    [
        pytest.param(("good", 0.7), answer("good", 0.7000000001), [], id="the-same-but-for-the-last-digits"),
        pytest.param((3.5, None), answer(3.5), [], id="a-value"),
        pytest.param(({"a": 1.0, "b": 2.0}, None), answer({"a": 1.0, "b": 2.0}), [], id="several-targets"),
        pytest.param(
            ("good", 0.7), answer("bad", 0.7), ["row 0 is good by its package, bad as served"], id="label"
        ),
        pytest.param(
            ("good", 0.7),
            answer("good", 0.71),
            ["row 0 has the probability 0.7 by its package, 0.71 as served"],
            id="probability",
        ),
        pytest.param(
            ("good", 0.7),
            answer(None, error="the model failed"),
            ["row 0 is not answered: the model failed"],
            id="none",
        ),
    ],
)
def test_an_answer_is_compared_with_what_the_package_says(expected, got, told):
    assert list(smoke_tests.differences([expected], [got])) == told
