"""What an endpoint file says of documents, before anything of it is served."""

import pytest

from deployments.contracts import endpoint
from deployments.contracts.errors import InvalidDocument
from deployments.contracts.traffic_policy import DocumentRoute, Documents
from deployments.rollout import document_check

FILE = """
apiVersion: raygate.io/v1alpha1
kind: ModelEndpoint
metadata: {{name: {name}}}
spec:
  model: {model}
  versions: [{{version: 1.0.0, role: stable}}]
  traffic: {{split: {{stable: 100}}}}
  documents:
    pre: stays.documents:to_features
    post: stays.documents:to_answer
    route: {route}
"""


def read(route, name="stays"):
    return endpoint.parse(FILE.format(name=name, model=name.replace("-", "_"), route=route), "endpoint.yaml")


def test_a_path_that_is_free_or_shared_is_accepted():
    mine = read("{path: /api/v1/offers, field: view, value: sea}")
    other = read("{path: /api/v1/offers, field: view, value: garden}", name="gardens")
    elsewhere = read("{path: /api/v1/walks}", name="walks")
    document_check.check_route(mine, [mine, other, elsewhere], "endpoint.yaml")


@pytest.mark.parametrize(
    ("mine", "other", "reason"),
    [
        pytest.param("{path: /api/v1/predict}", "{path: /x}", "is a path of Raygate's own", id="raygates"),
        pytest.param("{path: /v2/models/a/infer}", "{path: /x}", "is a path of Raygate's own", id="v2"),
        pytest.param(
            "{path: /api/v1/offers}", "{path: /api/v1/offers}", "is the path of gardens; to share", id="taken"
        ),
        pytest.param(
            "{path: /o, field: view, value: sea}",
            "{path: /o, field: kind, value: b}",
            "the same field",
            id="other-field",
        ),
        pytest.param(
            "{path: /o, field: view, value: sea}",
            "{path: /o, field: view, value: sea}",
            "with view: sea is the path of gardens",
            id="same-value",
        ),
    ],
)
def test_a_path_that_is_somebody_elses_is_refused(mine, other, reason):
    with pytest.raises(InvalidDocument, match=reason):
        document_check.check_route(read(mine), [read(other, name="gardens")], "endpoint.yaml")


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        pytest.param("{path: offers}", r"spec.documents.route.path \(line 12\)", id="no-path"),
        pytest.param("{path: /o, field: view}", "names field and value", id="half-a-choice"),
    ],
)
def test_a_route_that_says_too_little_is_refused_with_its_line(route, reason):
    with pytest.raises(InvalidDocument, match=reason):
        read(route)


@pytest.mark.parametrize(
    ("pre", "problems"),
    [
        pytest.param("stays.documents:to_features", [], id="there"),
        pytest.param("stays:to_features", ["stays of stays 1.0.0 has no function to_features"], id="no-function"),
        pytest.param(
            "walks:to_features",
            ["the package of stays 1.0.0 ships no module walks; it ships stays, stays.documents, stays.rates"],
            id="no-module",
        ),
    ],
)
def test_transformers_are_looked_for_without_running_them(stays, pre, problems):
    documents = Documents(pre=pre, post="stays.documents:to_answer", route=DocumentRoute(path="/o"))
    found = document_check.check_transformers(documents, stays.directory, "stays 1.0.0")
    assert [problem.message for problem in found] == problems
