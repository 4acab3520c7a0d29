"""What a version is made from: the same again is the same version, anything else needs another number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from training import shipped_code
from training.config import TrainedVersion, TrainingConfig


def recipe(config: TrainingConfig, wanted: TrainedVersion, data_fingerprint: str) -> dict[str, Any]:
    """Everything that decides what a version becomes; its number and the gates do not.

    What a document leaves out is left out here, so that a new option makes no old version look made from
    something else.

    Raises:
        PackagingFailed: The directory of the transformers is none.
    """
    tier = {} if config.risk_tier is None else {"risk_tier": config.risk_tier.value}
    several = {} if config.distributed is None else {"distributed": config.distributed.model_dump(mode="json")}
    return {
        **tier,
        **several,
        "data": data_fingerprint,
        "expectations": config.expectations.model_dump(mode="json", exclude_defaults=True),
        "target": config.target.model_dump(mode="json", exclude_defaults=True),
        "features": features(config),
        "cleaning": config.cleaning.model_dump(mode="json", exclude_defaults=True),
        "split": config.split.model_dump(mode="json", exclude_defaults=True),
        "decision": config.decision.model_dump(mode="json", exclude_defaults=True),
        "version": wanted.model_dump(mode="json", exclude={"version", "gates"}, exclude_defaults=True),
        **_code(config),
    }


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the parts in which two recipes differ, in alphabetical order; none if they make the same.

    A package may hold a recipe with its number inside: earlier releases wrote it there.
    """
    plain = [json.loads(json.dumps(recipe)) for recipe in (one, other)]
    for recipe in plain:
        if isinstance(recipe.get("version"), dict):
            recipe["version"].pop("version", None)
    return sorted(part for part in plain[0].keys() | plain[1].keys() if plain[0].get(part) != plain[1].get(part))


def features(config: TrainingConfig) -> dict[str, Any]:
    """How a document makes features, without what it leaves out."""
    said = config.features.model_dump(mode="json", exclude_defaults=True)
    if config.features.columns:  # whole, because the kind of a plan is a default of it
        said["columns"] = {name: plan.model_dump(mode="json") for name, plan in config.features.columns.items()}
    return said


def _code(config: TrainingConfig) -> dict[str, str]:
    if config.transformers is None:
        return {}
    return {"transformers": shipped_code.fingerprint(shipped_code.read(config.transformers))}
