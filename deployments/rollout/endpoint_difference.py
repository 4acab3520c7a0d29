"""What an endpoint file changes, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployments.contracts import duration
from deployments.contracts.endpoint import ModelEndpoint, ServedVersion
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.routing.slot_table import SlotTable

_TOLD_APART = ("versions", "model")
"""Parts of the file that have sentences of their own; the split is told as the weights that follow."""


def in_words(before: WantedEndpoint | None, after: WantedEndpoint) -> tuple[str, ...]:
    """What changes, a sentence each; none if nothing does.

    Args:
        before: As it is wanted now; None if there is no such endpoint.
        after: As it would be.
    """
    if before is None:
        served = ", ".join(_served(version) for version in after.document.spec.versions)
        return (f"{after.document.name} is new: {served}", *_weights(None, after.policy))
    return (
        *_versions(before.document, after.document),
        *_weights(before.policy, after.policy),
        *_fields(before.document, after.document),
    )


def _versions(before: ModelEndpoint, after: ModelEndpoint) -> Iterator[str]:
    old = {served.version: served for served in before.spec.versions}
    new = {served.version: served for served in after.spec.versions}
    for version in sorted(new.keys() - old.keys()):
        yield f"a pool is added: {_served(new[version])}"
    for version in sorted(old.keys() - new.keys()):
        yield f"the pool of {version} is removed when nobody is sent there any more"
    for version in sorted(new.keys() & old.keys()):
        if new[version] != old[version]:
            yield f"{version} was {_served(old[version], numbered=False)}, will be {_served(new[version])}"


def _served(served: ServedVersion, numbered: bool = True) -> str:
    scaling, resources = served.scaling, served.resources
    least, most = scaling.min_replicas, scaling.max_replicas
    replicas = f"{least} to {most} replicas" if least < most else "1 replica" if most == 1 else f"{most} replicas"
    if scaling.sleeps_after is not None:
        asleep = f"asleep after {duration.text(scaling.sleeps_after)} without a request"
        replicas = f"none to {most} replicas ({asleep})"
    named = f"{served.version} as {served.role.value}" if numbered else served.role.value
    return f"{named} with {replicas} of {resources.cpus:g} CPUs"


def _weights(before: TrafficPolicy | None, after: TrafficPolicy) -> Iterator[str]:
    old = SlotTable(before.slots).shares if before else {}
    new = SlotTable(after.slots).shares
    for version in sorted(old.keys() | new.keys()):
        was, will = 100 * old.get(version, 0.0), 100 * new.get(version, 0.0)
        if was != will:
            yield f"{version} has {was:g} % of the traffic, will have {will:g} %"
    if before is not None and before.stable != after.stable:
        yield f"{before.stable} is stable, {after.stable} will be"


def _fields(before: ModelEndpoint, after: ModelEndpoint) -> Iterator[str]:
    old, new = _flat(before), _flat(after)
    for path in sorted(old.keys() | new.keys()):
        was, will = _shown(old.get(path)), _shown(new.get(path))
        if was != will:
            yield f"spec.{path}: {was}, will be {will}"


def _flat(document: ModelEndpoint) -> dict[str, Any]:
    spec = document.spec.model_dump(mode="json", by_alias=True)
    flat = _paths({name: value for name, value in spec.items() if name not in _TOLD_APART})
    return {path: value for path, value in flat.items() if not path.startswith("traffic.split.")}


def _paths(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, part in value.items():
        path = f"{prefix}{name}"
        found |= _paths(part, f"{path}.") if isinstance(part, Mapping) and part else {path: part}
    return found


def _shown(value: Any) -> str:
    return "nothing" if value in (None, "", [], {}) else str(value)
