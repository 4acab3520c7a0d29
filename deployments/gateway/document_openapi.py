"""OpenAPI of the paths that endpoints have of their own: the types of their transformers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deployments.gateway.served_endpoint import ServedEndpoint


def bodies(
    endpoints: Iterable[ServedEndpoint], schemas: dict[str, Any]
) -> dict[str, tuple[list[dict[str, str]], list[dict[str, str]]]]:
    """References to the requests and answers of each path, one an endpoint; adds their schemas to the document's.

    The stable version's types stand for the endpoint; an endpoint whose pool has no transformers yet is left out.
    """
    paths: dict[str, tuple[list[dict[str, str]], list[dict[str, str]]]] = {}
    for endpoint in endpoints:
        line = endpoint.stable.documents if endpoint.stable else None
        if line is None:
            continue
        requests, answers = paths.setdefault(line.named.route.path, ([], []))
        model = endpoint.policy.model
        requests.append(_added(f"{model}_document", line.schemas.request, schemas))
        answers.append(_added(f"{model}_answer", line.schemas.answer, schemas))
    return paths


def _added(name: str, schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, str]:
    """Add a schema and what it refers to under a name of its own, and return a reference to it."""
    definitions = {key: value for key, value in schema.items() if key != "$defs"}
    schemas[name] = _rerooted(definitions, name)
    for part, definition in schema.get("$defs", {}).items():
        schemas[f"{name}_{part}"] = _rerooted(definition, name)
    return {"$ref": f"#/components/schemas/{name}"}


def _rerooted(node: Any, name: str) -> Any:
    """A schema whose references lead into the document's components."""
    if isinstance(node, list):
        return [_rerooted(part, name) for part in node]
    if not isinstance(node, dict):
        return node
    return {
        key: f"#/components/schemas/{name}_{value.removeprefix('#/$defs/')}"
        if key == "$ref" and isinstance(value, str)
        else _rerooted(value, name)
        for key, value in node.items()
    }
