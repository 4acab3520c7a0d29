"""Fills the documents in which the gateway tells of itself (``contracts/status.py``)."""

from __future__ import annotations

from deployments.contracts.status import (
    EndpointHealth,
    EndpointReadiness,
    ServedModel,
    ServedModelVersion,
    VersionReadiness,
)
from deployments.gateway.counters import Counters
from deployments.gateway.served_endpoint import ServedEndpoint


def health_of(counters: Counters, endpoint: ServedEndpoint) -> EndpointHealth:
    """Health of one endpoint."""
    recent = counters.recent(endpoint.policy.model)
    p95 = recent.p95_seconds()
    every_version = all(version.ready for version in readiness_of(endpoint).versions)
    loaded = endpoint.stable_is_ready
    return EndpointHealth(
        status="healthy" if loaded and every_version else "degraded" if loaded else "unhealthy",
        model_loaded=loaded,
        model_version=str(endpoint.policy.stable),
        last_prediction=recent.last_answer,
        latency_p95_ms=None if p95 is None else round(p95 * 1000, 3),
        model_id=endpoint.policy.endpoint,
    )


def readiness_of(endpoint: ServedEndpoint) -> EndpointReadiness:
    """Readiness of one endpoint and of each of its versions."""
    versions = []
    for version in endpoint.policy.versions:
        served = endpoint.versions.get(version)
        versions.append(
            VersionReadiness(
                version=str(version),
                stable=version == endpoint.policy.stable,
                ready=(served is not None and served.ready) or endpoint.sleeps(version),
                asleep=endpoint.sleeps(version),
                weight=round(100 * endpoint.shares.get(version, 0.0), 2),
            )
        )
    return EndpointReadiness(
        model_id=endpoint.policy.endpoint,
        ready=endpoint.stable_is_ready,
        policy_epoch=endpoint.policy.policy_epoch,
        versions=tuple(versions),
    )


def served_model(endpoint: ServedEndpoint) -> ServedModel:
    """One endpoint with all that is known of its versions' packages."""
    described = []
    for version, readiness in zip(endpoint.policy.versions, readiness_of(endpoint).versions, strict=True):
        served = endpoint.versions.get(version)
        if served is None:
            continue
        metadata = served.metadata
        described.append(
            ServedModelVersion(
                **readiness.model_dump(),
                digest=served.digest,
                family=metadata.family,
                task=metadata.task,
                classes=metadata.classes,
                targets=metadata.targets,
                path=metadata.path,
                parity=metadata.parity.max_difference,
                metrics=metadata.metrics,
                features=tuple(feature.for_callers() for feature in served.schema.features),
            )
        )
    return ServedModel(model_id=endpoint.policy.endpoint, model=endpoint.policy.model, versions=tuple(described))
