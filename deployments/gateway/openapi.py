"""The OpenAPI document: the routes of the application, with one typed feature schema a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.prediction import PredictRequest, PredictResponse, PredictRowsResponse, ProblemDocument
from deployments.gateway.asgi import PREDICT_PATH
from deployments.gateway.served_endpoint import ServedEndpoint

TITLE = "Raygate"
DESCRIPTION = "Predictions of versioned models; traffic is split among the versions of a model."
_REFERENCE = "#/components/schemas/{model}"
_PROBLEMS = {
    400: "The body is not JSON.",
    404: "No such model.",
    413: "The body is too large.",
    422: "A row does not fit the model; the details name row and field.",
    500: "The model failed on a row.",
    503: "Too many requests wait, or the model cannot answer now; see Retry-After.",
    504: "The model did not answer in time.",
}


def document(app: FastAPI, endpoints: Iterable[ServedEndpoint]) -> dict[str, Any]:
    """The OpenAPI 3.1 document for the endpoints that are served now."""
    made = get_openapi(title=TITLE, version=app.version, description=DESCRIPTION, routes=app.routes)
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for model in (PredictRequest, PredictResponse, PredictRowsResponse, ProblemDocument):
        definition = model.model_json_schema(ref_template=_REFERENCE)
        schemas.update(definition.pop("$defs", {}))
        schemas[model.__name__] = definition
    requests = [_typed_request(endpoint, schemas) for endpoint in endpoints if endpoint.versions]
    made["paths"][PREDICT_PATH] = {"post": _predict_operation(requests)}
    return made


def _predict_operation(requests: list[dict[str, str]]) -> dict[str, Any]:
    body = {"oneOf": requests} if requests else {"$ref": "#/components/schemas/PredictRequest"}
    answer = {"anyOf": [_reference("PredictResponse"), _reference("PredictRowsResponse")]}
    problems = {
        str(status): {"description": text, "content": _json(_reference("ProblemDocument"))}
        for status, text in _PROBLEMS.items()
    }
    return {
        "operationId": "predict",
        "tags": ["predictions"],
        "summary": "Predict one row or a list of rows",
        "description": "The endpoint's traffic split chooses the version; the answer names it.",
        "requestBody": {"required": True, "content": _json(body)},
        "responses": {
            "200": {"description": "One answer, or one a row.", "content": _json(answer)},
            **problems,
        },
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


def _feature(feature: Feature) -> dict[str, Any]:
    kind = {FeatureKind.NUMBER: "number", FeatureKind.BOOLEAN: "boolean"}.get(feature.kind, "string")
    described: dict[str, Any] = {"type": [kind, "null"] if feature.nullable else kind}
    if feature.description:
        described["description"] = feature.description
    if feature.kind is FeatureKind.CATEGORY:
        # Not an enum: another category is allowed, and told.
        described["examples"] = list(feature.categories[:20])
    elif feature.minimum is not None and feature.maximum is not None:
        described["examples"] = [feature.minimum, feature.maximum]
    return described


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
