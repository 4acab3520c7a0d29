"""A ModelEndpoint as Kubernetes keeps it: the owner's wish is its spec, the controller's memory its status. Pure.

The status holds all that a controller must remember: what was accepted and the traffic policy that follows, the
rollout, the latest decisions. A controller that starts anew reads it and goes on; no database is asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from deployments.contracts import yaml_document
from deployments.contracts.endpoint import ModelEndpoint
from deployments.contracts.errors import InvalidDocument
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.kubernetes_control import conditions
from deployments.kubernetes_control.cluster import MODEL_ENDPOINT, Resource, name_of
from deployments.kubernetes_control.conditions import Condition, Type
from deployments.rollout import policy as policies
from deployments.rollout.control_database import Decision
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.state import Rollout

FINALIZER = "raygate.io/serving"
"""Keeps a deleted resource until its traffic has ended and its pools are gone."""
DECISIONS_KEPT = 20


def document_of(resource: Resource) -> ModelEndpoint:
    """What the owner wants.

    Raises:
        InvalidDocument: Names every field that is wrong.
    """
    plain = {**MODEL_ENDPOINT.head, "metadata": {"name": name_of(resource)}, "spec": resource["spec"]}
    try:
        return yaml_document.read(json.dumps(plain), name_of(resource), ModelEndpoint)
    except InvalidDocument as error:  # a resource has no lines
        problems = tuple(replace(problem, line=0) for problem in error.problems)
        raise InvalidDocument(error.source, problems) from error


def generation_of(resource: Resource) -> int:
    """Counts the changes of the spec."""
    return int(resource["metadata"]["generation"])


def is_deleted(resource: Resource) -> bool:
    """Whether the owner wants it to go; it stays until its finalizers are off."""
    return "deletionTimestamp" in resource["metadata"]


def wanted_of(resource: Resource) -> WantedEndpoint | None:
    """What was accepted last, with the policy that is to be in force; None before the first time."""
    accepted = resource.get("status", {}).get("accepted")
    if accepted is None:
        return None
    return WantedEndpoint(
        ModelEndpoint.model_validate(accepted["document"], extra="ignore"),  # a newer release may have written it
        accepted["generation"],
        TrafficPolicy.model_validate(accepted["policy"], extra="ignore"),
    )


def epoch_of(resource: Resource) -> int:
    """Of the policy that was decided last; 0 before the first."""
    return int(resource.get("status", {}).get("policyEpoch", 0))


def rollout_of(resource: Resource) -> Rollout | None:
    """The latest rollout."""
    found = resource.get("status", {}).get("rollout")
    return None if found is None else Rollout.model_validate(found, extra="ignore")


def decisions_of(resource: Resource) -> dict[int, Decision]:
    """The latest decisions by their number, the oldest first; each resource counts its own from 1 on."""
    return {
        made["number"]: Decision(
            datetime.fromisoformat(made["at"]),
            name_of(resource),
            made["action"],
            made["policyEpoch"],
            made["detail"],
        )
        for made in resource.get("status", {}).get("decisions", [])
    }


def next_number(resource: Resource) -> int:
    """Of the decision that comes next."""
    return max(decisions_of(resource), default=0) + 1


def wants_notices(resource: Resource) -> bool:
    """Whether the plan that was accepted names anybody who is told of decisions."""
    accepted = resource.get("status", {}).get("accepted") or {}
    return bool(accepted.get("document", {}).get("spec", {}).get("rollout", {}).get("notify"))


def told_of(resource: Resource) -> int:
    """Number of the latest decision that people were told of, or need not be told of any more."""
    return int(resource.get("status", {}).get("told", 0))


def condition_of(resource: Resource, kind: Type) -> dict[str, Any]:
    """One condition as it stands; empty if nobody ever wrote it."""
    told = resource.get("status", {}).get("conditions", [])
    return next((condition for condition in told if condition["type"] == kind.value), {})


def with_wanted(resource: Resource, wanted: WantedEndpoint) -> Resource:
    """The resource with what is accepted and the policy that follows."""
    policy, weights = wanted.policy, policies.readable_weights(wanted.policy)
    return _with_status(
        resource,
        policyEpoch=policy.policy_epoch,
        stable=str(policy.stable),
        weights=weights,
        traffic=" ".join(f"{version}={weight:g}" for version, weight in weights.items()),
        accepted={
            "generation": wanted.generation,
            "document": wanted.document.model_dump(mode="json", by_alias=True, exclude_none=True),
            "policy": policy.model_dump(mode="json", by_alias=True, exclude_none=True),
        },
    )


def with_rollout(resource: Resource, rollout: Rollout) -> Resource:
    """The resource with its rollout as it is to be."""
    return _with_status(resource, rollout=rollout.model_dump(mode="json", by_alias=True))


def with_decision(resource: Resource, decision: Decision) -> Resource:
    """The resource with one more decision, and the oldest forgotten."""
    made = {
        "number": next_number(resource),
        "at": decision.at.isoformat(),
        "action": decision.action,
        "policyEpoch": decision.policy_epoch,
        "detail": decision.detail,
    }
    known = resource.get("status", {}).get("decisions", [])
    return _with_status(resource, decisions=[*known, made][-DECISIONS_KEPT:])


def with_told(resource: Resource, number: int) -> Resource:
    """The resource with the number of the latest decision that people were told of."""
    return _with_status(resource, told=max(number, told_of(resource)))


def with_conditions(resource: Resource, told: Iterable[Condition], now: datetime) -> Resource:
    """The resource with news of how it is, of the generation that it has."""
    known = resource.get("status", {}).get("conditions", [])
    generation = generation_of(resource)
    return _with_status(
        resource,
        observedGeneration=generation,
        conditions=conditions.merged(known, told, generation, now),
    )


def finalizer_patch(resource: Resource, *, held: bool) -> Resource:
    """What changes to hold a resource, or to let it go."""
    metadata = resource["metadata"]
    others = [name for name in metadata.get("finalizers", []) if name != FINALIZER]
    kept = [*others, FINALIZER] if held else others
    return {"metadata": {"finalizers": kept, "resourceVersion": metadata["resourceVersion"]}}


def is_held(resource: Resource) -> bool:
    """Whether the controller is asked before the resource goes."""
    return FINALIZER in resource["metadata"].get("finalizers", [])


def _with_status(resource: Resource, **fields: Any) -> Resource:
    return {**resource, "status": {**resource.get("status", {}), **fields}}
