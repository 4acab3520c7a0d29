"""Risk tiers of versions, as their packages in this machine's file store say."""

from __future__ import annotations

from deployments.contracts.model_version import Version
from deployments.contracts.package import METADATA, ModelMetadata, RiskTier
from deployments.rollout.approval import RiskOf
from deployments.runtime import package
from deployments.runtime.model_store import ModelStore
from ray_apps.settings import Settings


def risk_tiers(settings: Settings) -> RiskOf:
    """Reads the tier out of a version's metadata; PackageNotFound where the store does not hold the version."""
    store = ModelStore(settings.models)

    def risk_of(model: str, version: Version) -> RiskTier | None:
        return package.peek(store.find(model, version), METADATA, ModelMetadata).risk_tier

    return risk_of
