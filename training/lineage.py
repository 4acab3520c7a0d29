"""Where a version comes from, as tags of its run and of its registered version."""

from __future__ import annotations

from deployments.runtime.package import ModelPackage
from training.trained_from import TRAINED_FROM

VERSION_TAG = "raygate.version"
DIGEST_TAG = "raygate.digest"
DATA_TAG = "raygate.data"
DATA_VERSION_TAG = "raygate.data_version"
CONFIG_TAG = "raygate.config"
RISK_TIER_TAG = "raygate.risk_tier"
FAMILY_TAG = "raygate.family"
VARIANT_TAG = "raygate.variant"
COMMIT_TAG = "mlflow.source.git.commit"
"""MLflow's own name: its pages know it."""


def tags(package: ModelPackage) -> dict[str, str]:
    """Return the tags of a version; what is not known has none.

    ``raygate.data`` is the SHA-256 of the training rows, ``raygate.data_version`` the version that their source
    had, ``raygate.config`` the SHA-256 of everything else the version was made from (the package's
    ``trained_from.json``).
    """
    metadata = package.metadata
    known = {
        VERSION_TAG: str(metadata.version),
        DIGEST_TAG: package.digest,
        FAMILY_TAG: metadata.family,
        VARIANT_TAG: metadata.variant,
        DATA_TAG: metadata.data_fingerprint,
        DATA_VERSION_TAG: metadata.data_version,
        COMMIT_TAG: metadata.code_version,
        CONFIG_TAG: package.manifest.files.get(TRAINED_FROM, ""),
        RISK_TIER_TAG: metadata.risk_tier.value if metadata.risk_tier else "",
    }
    return {name: value for name, value in known.items() if value}
