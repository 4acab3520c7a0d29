"""A pydantic model's JSON schema as Kubernetes wants it in a CRD: structural, OpenAPI 3.0.

See "Specifying a structural schema" in Kubernetes' documentation of custom resource definitions. What the dialect
has no words for becomes wider, never narrower: the API server lets such a document in, and the model refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_KEPT = ("type", "description", "enum", "pattern", "minimum", "maximum")
_LENGTHS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_ANYTHING: Schema = {"x-kubernetes-preserve-unknown-fields": True}


def of(model: type[BaseModel]) -> Schema:
    """The structural schema of what a person writes for a model.

    Without defaults: the API server would write them into every stored document, and a later release could not
    change them, nor tell what was meant from what was filled in.
    """
    whole = model.model_json_schema(by_alias=True, mode="validation")
    return _converted(whole, whole.get("$defs", {}))


def _converted(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    if "$ref" in schema:
        named = definitions[schema["$ref"].removeprefix("#/$defs/")]
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _converted({**named, **beside}, definitions)
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives:
        return _one_of(schema, alternatives, definitions)
    made: Schema = {key: schema[key] for key in (*_KEPT, *_LENGTHS) if key in schema}
    if "const" in schema:
        made["enum"] = [schema["const"]]
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if exclusive in schema:
            made |= {bound: schema[exclusive], exclusive: True}
    if isinstance(schema.get("items"), dict):
        made["items"] = _converted(schema["items"], definitions)
    if isinstance(schema.get("additionalProperties"), dict):
        made["additionalProperties"] = _converted(schema["additionalProperties"], definitions)
    if "properties" in schema:
        made["properties"] = {name: _converted(child, definitions) for name, child in schema["properties"].items()}
        if schema.get("required"):
            made["required"] = list(schema["required"])
    made = _described(made)
    return made if "type" in made else {**made, **_ANYTHING}


def _one_of(schema: Schema, alternatives: list[Schema], definitions: Mapping[str, Schema]) -> Schema:
    """Alternatives as one schema that lets every one of them in."""
    some = [found for found in alternatives if found.get("type") != "null"]
    made = [_converted(found, definitions) for found in some]
    if len(made) == 1:
        united = made[0]
    elif all("properties" in found for found in made):
        united = _united(made)
    else:
        united = dict(_ANYTHING)
    if len(some) < len(alternatives):
        united = {**united, "nullable": True}
    return {**united, **({"description": schema["description"]} if "description" in schema else {})}


def _united(objects: list[Schema]) -> Schema:
    """Fields of all, required where all require them."""
    fields: dict[str, Schema] = {}
    for found in objects:
        for name, child in found["properties"].items():
            fields[name] = _either(fields[name], child) if name in fields else child
    required = [name for name in fields if all(name in found.get("required", ()) for found in objects)]
    return {"type": "object", "properties": fields, **({"required": required} if required else {})}


def _either(one: Schema, other: Schema) -> Schema:
    if one == other:
        return one
    if "enum" in one and "enum" in other and one.get("type") == other.get("type"):
        return {**one, "enum": list(dict.fromkeys((*one["enum"], *other["enum"])))}
    if one.get("type") == other.get("type") and one.get("type") not in (None, "object", "array"):
        nullable = one.get("nullable") or other.get("nullable")
        return {"type": one["type"], **({"nullable": True} if nullable else {})}
    return dict(_ANYTHING)


def _described(schema: Schema) -> Schema:
    """The schema with a docstring's section ``Attributes`` given to the fields that it describes."""
    text, separator, attributes = schema.get("description", "").partition("\n\nAttributes:\n")
    if not separator:
        return schema
    fields = dict(schema.get("properties", {}))
    for name, described in _attributes(attributes).items():
        alias = next((field for field in fields if _snake_case(field) == name), None)
        if alias is not None:
            fields[alias] = {**fields[alias], "description": described}
    return {**schema, "description": text, **({"properties": fields} if fields else {})}


def _attributes(section: str) -> dict[str, str]:
    entries = re.split(r"^ {4}(\w+): ", section, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in zip(entries[1::2], entries[2::2], strict=True)}


def _snake_case(camel: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", camel).lower()
