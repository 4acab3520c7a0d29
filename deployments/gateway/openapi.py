"""The OpenAPI document: the routes of the application, with one typed feature schema a model."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from deployments.access.errors import UnlistedRoute
from deployments.access.roles import OF_ANYBODY, Permission
from deployments.access.routes import permission_for
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.prediction import PredictRequest, PredictResponse, PredictRowsResponse, ProblemDocument
from deployments.gateway import document_openapi
from deployments.gateway.asgi import AB_PATH, CHAMPION_PATH, PREDICT_PATH
from deployments.gateway.served_endpoint import ServedEndpoint

TITLE = "Raygate"
DESCRIPTION = "Predictions of versioned models; traffic is split among the versions of a model."
_REFERENCE = "#/components/schemas/{model}"
_BY_SPLIT = "The endpoint's traffic policy chooses the version; the answer names it."
_PATHS = {
    PREDICT_PATH: ("predict", _BY_SPLIT),
    AB_PATH: ("predict_ab", _BY_SPLIT),
    CHAMPION_PATH: ("predict_champion", "The stable version answers: the caller takes no part in experiments."),
}
_REFUSALS = {
    401: "No valid credential.",
    403: "The caller's role does not allow it.",
    429: "The caller sends too much; see Retry-After.",
    503: "Nobody can be let in now; see Retry-After.",
}
_PROBLEMS = {
    400: "The body is not JSON.",
    404: "No such model.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    422: "A row does not fit the model; the details name row and field.",
    500: "The model failed on a row.",
    503: "Too many requests wait, or the model cannot answer now; see Retry-After.",
    504: "The model did not answer in time.",
}


def document(app: FastAPI, endpoints: Collection[ServedEndpoint]) -> dict[str, Any]:
    """The OpenAPI 3.1 document for the endpoints that are served now."""
    made = get_openapi(title=TITLE, version=app.version, description=DESCRIPTION, routes=app.routes)
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for model in (PredictRequest, PredictResponse, PredictRowsResponse, ProblemDocument):
        definition = model.model_json_schema(ref_template=_REFERENCE)
        schemas.update(definition.pop("$defs", {}))
        schemas[model.__name__] = definition
    requests = [_typed_request(endpoint, schemas) for endpoint in endpoints if endpoint.versions]
    for path, (operation, description) in _PATHS.items():
        made["paths"][path] = {"post": _predict_operation(requests, operation, description)}
    for path, (documents, answers) in document_openapi.bodies(endpoints, schemas).items():
        made["paths"][path] = {"post": _document_operation(path, documents, answers)}
    _demand_credentials(made)
    return made


def _demand_credentials(made: dict[str, Any]) -> None:
    """Say which operations need a credential: all but those that anybody may use."""
    made["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "an API key (rg_...) or a JSON web token"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            if _permission(method, path) not in OF_ANYBODY:
                operation["security"] = [{"token": []}, {"key": []}]
                for status, text in _REFUSALS.items():
                    operation["responses"].setdefault(str(status), _problem(text))


def _permission(method: str, path: str) -> Permission:
    try:
        return permission_for(method.upper(), path)
    except UnlistedRoute:  # a path of an endpoint's own
        return Permission.PREDICT


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": _json(_reference("ProblemDocument"))}


def _predict_operation(requests: list[dict[str, str]], operation: str, description: str) -> dict[str, Any]:
    body = {"oneOf": requests} if requests else {"$ref": "#/components/schemas/PredictRequest"}
    answer = {"anyOf": [_reference("PredictResponse"), _reference("PredictRowsResponse")]}
    problems = {str(status): _problem(text) for status, text in _PROBLEMS.items()}
    return {
        "operationId": operation,
        "tags": ["predictions"],
        "summary": "Predict one row or a list of rows",
        "description": description,
        "requestBody": {"required": True, "content": _json(body)},
        "responses": {
            "200": {"description": "One answer, or one a row.", "content": _json(answer)},
            **problems,
        },
    }


def _document_operation(
    path: str, documents: list[dict[str, str]], answers: list[dict[str, str]]
) -> dict[str, Any]:
    told = {
        "description": "The answer; its headers name the prediction and the version.",
        "headers": {
            "x-prediction-id": {"schema": {"type": "string"}, "description": "feedback refers to it"},
            "x-model-version": {"schema": {"type": "string"}, "description": "the version that answered"},
            "x-failover-from": {
                "schema": {"type": "string"},
                "description": "the version that was to and could not",
            },
        },
        "content": _json({"anyOf": answers}),
    }
    return {
        "operationId": path.strip("/").replace("/", "_"),
        "tags": ["predictions"],
        "summary": "Answer one document",
        "description": _BY_SPLIT,
        "requestBody": {"required": True, "content": _json({"anyOf": documents})},
        "responses": {"200": told, **{str(status): _problem(text) for status, text in _PROBLEMS.items()}},
    }


def _typed_request(endpoint: ServedEndpoint, schemas: dict[str, Any]) -> dict[str, str]:
    """Add the request of one endpoint to the schemas and return a reference to it.

    The stable version's schema stands for the endpoint; every version validates with its own.
    """
    policy = endpoint.policy
    served = endpoint.versions.get(policy.stable) or next(iter(endpoint.versions.values()))
    features, request = f"{policy.model}_features", f"{policy.model}_request"
    schemas[features] = _features(served.schema)
    row = _reference(features)
    schemas[request] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["model_id", "features"],
        "properties": {
            "model_id": {"type": "string", "const": policy.endpoint},
            "features": {
                "oneOf": [row, {"type": "array", "items": row, "minItems": 1, "maxItems": policy.limits.max_rows}]
            },
            "model_version": {"type": "string", "description": "must answer; needs the permission to pin"},
            "options": _reference("PredictOptions"),
        },
    }
    return _reference(request)


def _features(schema: FeatureSchema) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [feature.name for feature in schema.features if not feature.nullable],
        "properties": {feature.name: _feature(feature) for feature in schema.features},
    }


def _feature(seen: Feature) -> dict[str, Any]:
    feature = seen.for_callers()
    kind = {FeatureKind.NUMBER: "number", FeatureKind.BOOLEAN: "boolean"}.get(feature.kind, "string")
    described: dict[str, Any] = {"type": [kind, "null"] if feature.nullable else kind}
    if feature.description:
        described["description"] = feature.description
    if feature.kind is FeatureKind.CATEGORY:
        # Not an enum: another category is allowed, and told.
        described["examples"] = list(feature.categories[:20])
    elif feature.categories:
        described["examples"] = [float(number) for number in feature.categories[:20]]
    elif feature.minimum is not None and feature.maximum is not None:
        described["examples"] = [feature.minimum, feature.maximum]
    return described


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
