"""What a version is made from: the same again is the same version, anything else needs another number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from training import shipped_code
from training.config import TrainedVersion, TrainingConfig

_HOW_IT_RUNS = {"cpus", "attempts"}
"""Of a search and of distributed training: what of the cluster a run takes, which is no part of what it finds.

``parallel`` is: it decides which results a proposal knows.
"""


def recipe(config: TrainingConfig, wanted: TrainedVersion, data_fingerprint: str) -> dict[str, Any]:
    """Everything that decides what a version becomes; its number, the gates and the CPUs do not.

    What a document leaves out is left out here, so that a new option makes no old version look made from
    something else.

    Raises:
        PackagingFailed: The directory of the transformers is none.
    """
    tier = {} if config.risk_tier is None else {"risk_tier": config.risk_tier.value}
    several = {}
    if config.distributed is not None:
        several["distributed"] = config.distributed.model_dump(mode="json", exclude=_HOW_IT_RUNS)
    left_out: dict[str, Any] = {"version": True, "gates": True, "search": _HOW_IT_RUNS}
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
        "version": wanted.model_dump(mode="json", exclude=left_out, exclude_defaults=True),
        **_code(config),
    }


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the parts in which two recipes differ, in alphabetical order; none if they make the same.

    A package may hold a recipe with its number, or how it ran, inside: earlier releases wrote that there.
    """
    plain = [json.loads(json.dumps(recipe)) for recipe in (one, other)]
    for recipe in plain:
        version = recipe.get("version", {})
        version.pop("version", None)
        for part in (version.get("search", {}), recipe.get("distributed", {})):
            for name in _HOW_IT_RUNS:
                part.pop(name, None)
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
