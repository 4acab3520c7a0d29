"""The traffic policy that follows from an endpoint's document and from what is in force. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.contracts.endpoint import ModelEndpoint
from deployments.contracts.errors import UnknownVersion
from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.routing.slot_table import SlotTable


def from_document(document: ModelEndpoint, epoch: int, previous: TrafficPolicy | None = None) -> TrafficPolicy:
    """The policy of a new or changed endpoint file.

    Units keep their versions as far as the new weights allow: the slot table in force is changed by the fewest
    moves, and the salt stays.
    """
    spec = document.spec
    table = SlotTable(previous.slots).reweighted(spec.weights) if previous else SlotTable.of(spec.weights)
    return TrafficPolicy(
        endpoint=document.name,
        model=spec.model,
        policy_epoch=epoch,
        stable=spec.stable,
        versions=tuple(sorted(served.version for served in spec.versions)),
        replicas={served.version: served.scaling.max_replicas for served in spec.versions},
        slots=table.runs,
        salt=previous.salt if previous else document.name,
        sticky_by=spec.traffic.sticky_by,
        limits=spec.limits,
    )


def with_weights(policy: TrafficPolicy, weights: Mapping[Version, float], epoch: int) -> TrafficPolicy:
    """The policy with other weights; a version that is not named gets none.

    Raises:
        UnknownVersion: A version has no pool in this policy.
        ValueError: The weights do not add up to 100.
    """
    for version in weights:
        if version not in policy.versions:
            raise UnknownVersion(str(version), tuple(map(str, policy.versions)))
    table = SlotTable(policy.slots).reweighted(weights)
    return policy.model_copy(update={"slots": table.runs, "policy_epoch": epoch})
