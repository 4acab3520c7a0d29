from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from deployments.access.caller import ANONYMOUS, Caller
from deployments.access.errors import Forbidden, UnlistedRoute
from deployments.access.roles import PERMISSIONS, Permission, Role
from deployments.access.routes import permission_for
from deployments.gateway import app
from deployments.gateway.counters import Counters
from deployments.gateway.scoring import Scoring


async def never_called(scope, receive, send):
    """Stands for the predict endpoint: here only paths and methods are looked at."""


def routes_of_the_gateway():
    scoring = Scoring(Counters("gateway"))
    built: FastAPI = app.build(scoring, never_called, release="1.0.0")
    # Routes of an included router too, which the application's own list does not show.
    routes = list(iter_route_contexts(built.routes))
    files = {("GET", f"{route.path}/a.file") for route in routes if route.methods is None}
    return files | {(method, route.path) for route in routes for method in route.methods or ()}


def test_every_route_of_the_gateway_is_in_the_table():
    routes = routes_of_the_gateway()
    assert {("POST", "/api/v1/predict"), ("GET", "/v2/health/live")} <= routes
    for method, path in routes:
        permission_for(method, path)


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        pytest.param("POST", "/api/v1/predict", Permission.PREDICT, id="predict"),
        pytest.param("POST", "/predict/ab", Permission.PREDICT, id="split"),
        pytest.param("POST", "/api/v1/feedback", Permission.SEND_FEEDBACK, id="feedback"),
        pytest.param("HEAD", "/health", Permission.CHECK_HEALTH, id="head-is-get"),
        pytest.param("POST", "/v2/models/credit-risk/infer", Permission.PREDICT, id="inference"),
        pytest.param(
            "POST", "/v2/models/credit-risk/versions/1.1.0/infer", Permission.PIN_VERSION, id="inference-pinned"
        ),
        pytest.param(
            "PUT", "/api/v1/admin/endpoints/credit-risk/traffic", Permission.CHANGE_TRAFFIC, id="traffic"
        ),
        pytest.param("POST", "/api/v1/admin/keys", Permission.MANAGE_KEYS, id="keys"),
    ],
)
def test_a_request_takes_the_permission_of_its_route(method, path, permission):
    assert permission_for(method, path) is permission


@pytest.mark.parametrize(
    ("method", "path", "methods"),
    [
        pytest.param("GET", "/api/v1/secrets", (), id="unknown-path"),
        pytest.param("GET", "/api/v1/predict", ("POST",), id="known-path-unknown-method"),
        pytest.param("POST", "/v2/models/a/b/infer", (), id="a-segment-too-many"),
        pytest.param("POST", "/v2/models//infer", (), id="an-empty-segment"),
        pytest.param("GET", "/health/", (), id="a-slash-too-many"),
        pytest.param("GET", "/healthx", (), id="a-known-path-and-more"),
        pytest.param("GET", "/health\n", (), id="a-line-end-behind-it"),
    ],
)
def test_a_route_that_is_not_listed_is_refused_to_everybody(method, path, methods):
    with pytest.raises(UnlistedRoute) as refused:
        permission_for(method, path)
    assert refused.value.methods == methods


def test_the_documentation_shows_the_table_of_roles():
    page = (Path(__file__).parents[3] / "docs" / "access.md").read_text()
    for permission in Permission:
        shown = f"{permission} (needs no credential)" if ANONYMOUS.may(permission) else permission
        cells = ("✓" if permission in PERMISSIONS[role] else "" for role in Role)
        assert f"| {shown} | {' | '.join(cells)} |" in page


def test_roles_may_do_what_they_are_for():
    allowed = {role: set(PERMISSIONS[role]) for role in Role}
    reads = {
        Permission.CHECK_HEALTH,
        Permission.READ_DOCUMENTATION,
        Permission.READ_HEALTH_DETAILS,
        Permission.READ_MODELS,
    }
    predicts = reads | {Permission.PREDICT, Permission.SEND_FEEDBACK, Permission.SCORE_BATCHES}
    operates = {
        Permission.PIN_VERSION,
        Permission.MANAGE_BATCHES,
        Permission.READ_LOG,
        Permission.CHANGE_TRAFFIC,
    }
    assert allowed == {
        Role.VIEWER: reads,
        Role.PREDICTOR: predicts,
        Role.OPERATOR: predicts | operates,
        Role.APPROVER: reads | {Permission.READ_LOG, Permission.READ_AUDIT, Permission.APPROVE},
        Role.ADMIN: set(Permission),
    }


def test_nobody_but_an_admin_changes_traffic_and_approves_it():
    both = {Permission.CHANGE_TRAFFIC, Permission.APPROVE}
    assert [role for role in Role if both <= PERMISSIONS[role]] == [Role.ADMIN]


def test_a_caller_without_the_permission_is_refused_by_name():
    with pytest.raises(Forbidden, match=r"^shop has the role predictor, which may not change traffic$"):
        Caller.with_role("shop", Role.PREDICTOR, "key:1").require(Permission.CHANGE_TRAFFIC)


def test_without_a_credential_only_health_can_be_checked():
    assert [permission for permission in Permission if ANONYMOUS.may(permission)] == [Permission.CHECK_HEALTH]
