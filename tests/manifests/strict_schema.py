"""Strict validation of custom resources: what the CRD does not name is an error.

The API server drops an unknown field in silence, so a misspelt one validates and does nothing. CEL rules
(``x-kubernetes-validations``) are not evaluated.

The CRDs are KubeRay's (v1.7.0), published data that is not part of this repository: read from the folder that
``RAYGATE_CRD_DIR`` names, or from ``shared/crds`` beside the checkout, as ``<group>_<plural>.yaml``.
"""

import os
from functools import cache
from pathlib import Path

import jsonschema
import pytest
import yaml

CRDS = Path(os.environ.get("RAYGATE_CRD_DIR") or Path(__file__).parents[3] / "shared" / "crds")
_OBJECT_HEAD = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}


def problems(document):
    """What is wrong with a custom resource, as ``path: message``; empty when it is valid."""
    group, version = document["apiVersion"].split("/")
    found = _validator(group, version, document["kind"]).iter_errors(document)
    return sorted(f"{'.'.join(map(str, error.absolute_path)) or '.'}: {error.message}" for error in found)


@cache
def _validator(group, version, kind):
    for path in sorted(CRDS.glob(f"{group}_*.yaml")):
        definition = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        if definition["spec"]["names"]["kind"] != kind:
            continue
        for served in definition["spec"]["versions"]:
            if served["name"] == version and served["served"]:
                schema = strict(served["schema"]["openAPIV3Schema"], root=True)
                return jsonschema.Draft202012Validator(schema)
    if not CRDS.is_dir():
        missing = f"no CRDs in {CRDS}: set RAYGATE_CRD_DIR to a folder with those of KubeRay v1.7.0"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    raise LookupError(f"no CRD in {CRDS} serves {group}/{version} {kind}")


def strict(schema, *, root=False):
    """A CRD's schema as JSON schema that knows every field or refuses it."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"], **({"pattern": schema["pattern"]} if "pattern" in schema else {})}
    made = {key: value for key, value in schema.items() if not key.startswith("x-")}
    # OpenAPI's formats (int32, double) are not JSON schema's, and `nullable` is not known to it at all.
    made.pop("format", None)
    if made.pop("nullable", False) and "type" in made:
        made["type"] = [made["type"], "null"]
    # OpenAPI 3.0 has a flag where JSON schema has the bound itself.
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if made.pop(exclusive, False):
            made[exclusive] = made.pop(bound)
    if "properties" in schema:
        made["properties"] = {name: strict(child) for name, child in schema["properties"].items()}
    if root or schema.get("x-kubernetes-embedded-resource"):
        made["properties"] = {**_OBJECT_HEAD, **made.get("properties", {})}
        if root:
            # The CRD says only "object"; the API machinery owns its shape.
            made["properties"]["metadata"] = {"type": "object", "required": ["name"]}
            made["required"] = sorted({"apiVersion", "kind", "metadata", "spec", *schema.get("required", ())})
    if isinstance(schema.get("items"), dict):
        made["items"] = strict(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        made["additionalProperties"] = strict(schema["additionalProperties"])
    elif "properties" in made and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    return made
