"""The CustomResourceDefinition of ModelEndpoint, made from the models that read the endpoint file. Pure."""

from __future__ import annotations

from typing import Any

from deployments.contracts import structural_schema
from deployments.contracts.endpoint import API_VERSION, Spec
from deployments.contracts.endpoint_rules import ENDPOINT_RULES, LIST_LIMITS, RULES, CelRule, Path
from deployments.contracts.structural_schema import Schema

GROUP, VERSION = API_VERSION.split("/")
KIND, PLURAL, SINGULAR, SHORT_NAME = "ModelEndpoint", "modelendpoints", "modelendpoint", "mep"


def definition() -> dict[str, Any]:
    """The CRD, to be applied once by whoever administers the cluster."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}", "labels": {"app.kubernetes.io/part-of": "raygate"}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": SINGULAR,
                "shortNames": [SHORT_NAME],
                "categories": ["raygate"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _columns(),
                    "schema": {"openAPIV3Schema": schema()},
                }
            ],
        },
    }


def schema() -> Schema:
    """The structural schema of a whole ModelEndpoint."""
    spec = structural_schema.of(Spec)
    for path, (bound, limit) in LIST_LIMITS.items():
        _part(spec, path).setdefault(bound, limit)
    for path, rules in RULES.items():
        _part(spec, path)["x-kubernetes-validations"] = _validations(rules)
    return {
        "type": "object",
        "description": "Which versions of a model are served, and how traffic is divided among them.",
        "required": ["spec"],
        "x-kubernetes-validations": _validations(ENDPOINT_RULES),
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": _status(),
        },
    }


def _status() -> Schema:
    """What the controller writes."""
    time = {"type": "string", "format": "date-time"}
    condition = {
        "type": "object",
        "required": ["type", "status", "lastTransitionTime", "reason", "message"],
        "properties": {
            "type": {"type": "string", "description": "Ready, Progressing or Accepted."},
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "observedGeneration": {"type": "integer", "minimum": 0},
            "lastTransitionTime": time,
            "reason": {"type": "string", "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"},
            "message": {"type": "string", "maxLength": 32768},
        },
    }
    return {
        "type": "object",
        "description": "What is in force; written by the controller alone.",
        "properties": {
            "observedGeneration": {"type": "integer", "description": "The generation of spec that this tells of."},
            "policyEpoch": {
                "type": "integer",
                "description": "Of the traffic policy in force; rises with every change.",
            },
            "stable": {"type": "string", "description": "The version that must be able to answer."},
            "traffic": {"type": "string", "description": "Weights in force, for people."},
            "weights": {
                "type": "object",
                "description": "Percentage of every version.",
                "additionalProperties": {"type": "number"},
            },
            "rollout": {
                "type": "object",
                "description": "State of the running rollout.",
                "x-kubernetes-preserve-unknown-fields": True,
            },
            "accepted": {
                "type": "object",
                "description": "The document that was accepted last, and the traffic policy that follows from it.",
                "x-kubernetes-preserve-unknown-fields": True,
            },
            "decisions": {
                "type": "array",
                "description": "The latest decisions, the oldest first.",
                "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
            "told": {
                "type": "integer",
                "description": "Number of the latest decision that the plan's receivers were told of.",
            },
            "conditions": {
                "type": "array",
                "items": condition,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        },
    }


def _columns() -> list[dict[str, str]]:
    return [
        {"name": "Model", "type": "string", "jsonPath": ".spec.model"},
        {"name": "Stable", "type": "string", "jsonPath": ".status.stable"},
        {"name": "Traffic", "type": "string", "jsonPath": ".status.traffic"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]


def _part(spec: Schema, path: Path) -> Schema:
    """The schema of a part, by its path in the document."""
    found = spec
    for step in path:
        found = found["items"] if step == "[]" else found["properties"][step]
    return found


def _validations(rules: tuple[CelRule, ...]) -> list[dict[str, str]]:
    return [{"rule": rule.rule, "message": rule.message} for rule in rules]
