"""What a gateway tells of itself: health, readiness, and the models that it serves.

Callers of every release read these documents: they ignore fields that they do not know.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from deployments.contracts.feature_schema import Feature
from deployments.contracts.prediction import Label


class Status(BaseModel):
    """Base of the documents about a gateway."""

    model_config = ConfigDict(frozen=True)


class EndpointHealth(Status):
    """Health of one endpoint as one gateway replica sees it: ``healthy``, ``degraded`` or ``unhealthy``."""

    status: str
    model_loaded: bool
    model_version: str
    last_prediction: datetime | None
    latency_p95_ms: float | None
    model_id: str


class Health(Status):
    """Health of several endpoints: ``healthy`` if all are, ``empty`` if none is served, else ``degraded``."""

    status: str
    endpoints: tuple[EndpointHealth, ...]


class VersionReadiness(Status):
    """How one version is.

    Attributes:
        version: Its number.
        stable: Whether it must be able to answer.
        ready: Whether its pool can answer; one that sleeps can, once it is up.
        asleep: Whether its pool has no replica, because nobody asked for so long as its owner says.
        weight: Its share of the traffic in per cent.
    """

    version: str
    stable: bool
    ready: bool
    asleep: bool = False
    weight: float


class EndpointReadiness(Status):
    """Readiness of one endpoint: that of its stable version."""

    model_id: str
    ready: bool
    policy_epoch: int
    versions: tuple[VersionReadiness, ...]


class Readiness(Status):
    """Readiness of a gateway.

    Attributes:
        status: ``ready`` if there are endpoints and the stable pool of each can answer, else ``not ready``.
        endpoints: Each with its versions.
    """

    status: str
    endpoints: tuple[EndpointReadiness, ...]

    @property
    def ready(self) -> bool:
        """Whether the stable version of every endpoint can answer."""
        return self.status == "ready"


class ServedModelVersion(VersionReadiness):
    """One version of a model with what is known of its package."""

    digest: str
    family: str
    task: str
    classes: tuple[Label, ...]
    targets: tuple[str, ...] = ()
    path: str
    parity: float | None
    metrics: dict[str, float]
    features: tuple[Feature, ...]


class ServedModel(Status):
    """One endpoint and its versions."""

    model_id: str
    model: str
    versions: tuple[ServedModelVersion, ...]


class Models(Status):
    """Everything that is served."""

    models: tuple[ServedModel, ...]


class Reloaded(Status):
    """What became of a reload of models.

    Attributes:
        status: ``success``, ``running`` or ``failed``.
        versions: Stable versions that are served, by the value that chooses the endpoint on a path that several
            share, else by the endpoint's name.
        reload_id: Where it runs still, or was asked about.
        reason: Why it failed.
    """

    status: str
    versions: dict[str, str] = {}
    reload_id: str | None = None
    reason: str | None = None
