"""The Kubernetes API as the controller needs it: the port, and the kinds that it touches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from deployments.contracts import crd

Resource = dict[str, Any]
"""A resource as the API writes it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Where resources of a kind are in the API."""

    group: str
    version: str
    name: str
    plural: str

    @property
    def head(self) -> dict[str, str]:
        """What every resource of the kind begins with."""
        return {"apiVersion": f"{self.group}/{self.version}", "kind": self.name}


MODEL_ENDPOINT = Kind(crd.GROUP, crd.VERSION, crd.KIND, crd.PLURAL)
RAY_SERVICE = Kind("ray.io", "v1", "RayService", "rayservices")
RAY_JOB = Kind("ray.io", "v1", "RayJob", "rayjobs")
RAY_CRON_JOB = Kind("ray.io", "v1", "RayCronJob", "raycronjobs")
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases")
EVENT = Kind("events.k8s.io", "v1", "Event", "events")


@dataclass(frozen=True, slots=True)
class Listing:
    """Every resource of a kind, and the moment from which a watch goes on."""

    items: tuple[Resource, ...]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change.

    Attributes:
        type: ``ADDED``, ``MODIFIED``, ``DELETED``, or ``BOOKMARK``, which has a resource version and nothing else.
        resource: As it is now, or as it was when it was deleted.
    """

    type: str
    resource: Resource


class Cluster(Protocol):
    """Resources of one namespace. Every call may raise KubernetesUnavailable or RequestRefused."""

    def get(self, kind: Kind, name: str) -> Resource:
        """One resource.

        Raises:
            ResourceMissing: It is not there.
        """
        ...

    def list(self, kind: Kind) -> Listing:
        """All of a kind."""
        ...

    def watch(self, kind: Kind, resource_version: str) -> Iterator[WatchEvent]:
        """Changes since a resource version, as they come; ends by itself after a while.

        Raises:
            VersionExpired: The API has forgotten that version.
        """
        ...

    def create(self, kind: Kind, resource: Resource) -> Resource:
        """Make a new resource.

        Raises:
            ResourceChanged: There is one of that name already.
        """
        ...

    def replace(self, kind: Kind, resource: Resource) -> Resource:
        """Write a resource that was read before.

        Raises:
            ResourceChanged: Somebody else wrote it since.
            ResourceMissing: It is gone.
        """
        ...

    def replace_status(self, kind: Kind, resource: Resource) -> Resource:
        """Write the status of a resource that was read before, and nothing else of it.

        Raises:
            ResourceChanged: Somebody else wrote it since.
            ResourceMissing: It is gone.
        """
        ...

    def merge(self, kind: Kind, name: str, patch: Resource) -> Resource:
        """Change some fields; with a ``metadata.resourceVersion`` only if nobody wrote since.

        Raises:
            ResourceChanged: Somebody did.
            ResourceMissing: It is gone.
        """
        ...

    def apply(self, kind: Kind, resource: Resource, field_manager: str) -> Resource:
        """Server-side apply: take over the fields that are named, and none of the others.

        Raises:
            ResourceChanged: It has another ``metadata.resourceVersion`` than is named, if one is.
        """
        ...


def name_of(resource: Resource) -> str:
    """The resource's name."""
    return str(resource["metadata"]["name"])


def version_of(resource: Resource) -> int:
    """The resource's version; a higher one is newer, which Kubernetes promises for all kinds here."""
    return int(resource["metadata"]["resourceVersion"])
