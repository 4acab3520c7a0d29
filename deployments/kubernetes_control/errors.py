"""What can go wrong between the controller and Kubernetes, by name."""

from __future__ import annotations

from deployments.contracts.errors import RaygateError, TrafficNotApplied


class KubernetesUnavailable(RaygateError):
    """The Kubernetes API does not answer, or answers with a failure of its own."""

    def __init__(self, request: str, reason: str) -> None:
        super().__init__(request, reason)
        self.request, self.reason = request, reason

    def __str__(self) -> str:
        return f"the Kubernetes API did not answer {self.request}: {self.reason}"


class RequestRefused(RaygateError):
    """The Kubernetes API will never accept this request as it is: no right to it, or not valid."""

    def __init__(self, request: str, reason: str) -> None:
        super().__init__(request, reason)
        self.request, self.reason = request, reason

    def __str__(self) -> str:
        return f"the Kubernetes API refuses {self.request}: {self.reason}"


class ResourceMissing(RaygateError):
    """A resource is not there (any more)."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(kind, name)
        self.kind, self.name = kind, name

    def __str__(self) -> str:
        return f"there is no {self.kind} {self.name}"


class ResourceChanged(RaygateError):
    """Somebody else wrote a resource since it was read; what was decided was decided on old facts."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(kind, name)
        self.kind, self.name = kind, name

    def __str__(self) -> str:
        return f"{self.kind} {self.name} was changed meanwhile"


class VersionExpired(RaygateError):
    """The API does not remember as far back as a watch wants to begin: list again."""

    def __init__(self, kind: str, resource_version: str) -> None:
        super().__init__(kind, resource_version)
        self.kind, self.resource_version = kind, resource_version

    def __str__(self) -> str:
        return f"the API has no changes of {self.kind} since resource version {self.resource_version} any more"


class ServiceMissing(TrafficNotApplied):
    """There is no RayService to serve anything with."""


class ServiceUpgrading(TrafficNotApplied):
    """KubeRay brings up another cluster beside the one that serves; nothing is changed until it took over."""
