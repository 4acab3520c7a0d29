"""Which version a document means: one that is in the store already, or a number that is free."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.contracts.errors import PackageNotFound, PackagingFailed
from deployments.contracts.model_version import ModelVersion, Version
from deployments.runtime import package
from deployments.runtime.model_store import ModelStore
from deployments.runtime.package import ModelPackage
from training import numbering, recipe
from training.config import TrainedVersion, TrainingConfig
from training.places import Progress
from training.trained_from import TRAINED_FROM

if TYPE_CHECKING:
    from training.data import Dataset


def present(
    model: str, number: Version | None, wanted_from: Mapping[str, Any], store: ModelStore
) -> ModelPackage | None:
    """Return the package of the store that a run would make again; None if there is none.

    Args:
        model: Name of the model.
        number: The version's number if its document gives one; None looks for the recipe among all versions.
        wanted_from: The recipe.
        store: Packages.

    Raises:
        PackagingFailed: The given number is taken by a version that was made from something else.
    """
    if number is None:
        for known in reversed(store.versions(model)):
            if not recipe.differences(_origin(store.find(model, known)), wanted_from):
                return store.load(model, known)
        return None
    try:
        there = store.load(model, number)
    except PackageNotFound:
        return None
    if changed := recipe.differences(_origin(there.directory), wanted_from):
        raise PackagingFailed(
            str(ModelVersion(model, number)),
            f"is in the store already, made from other {', '.join(changed)}; a version never changes: "
            "give the new one another number, or none",
        )
    return there


def decide(
    config: TrainingConfig, wanted: TrainedVersion, dataset: Dataset, store: ModelStore, progress: Progress
) -> ModelVersion:
    """Return the name of a version that is not in the store: its document's number, or the next one by rule."""
    from training import data, feature_schema

    if wanted.version is not None:
        return ModelVersion(config.model, wanted.version)
    known = store.versions(config.model)
    if not known:
        return ModelVersion(config.model, numbering.FIRST)
    newest = package.load(store.find(config.model, known[-1]))
    rows = data.split(dataset, config.split)
    schema = feature_schema.infer(rows.train.features, config.expected)
    after = numbering.Made(schema, rows.task, rows.classes, wanted.family, recipe.features(config), rows.targets)
    step, reason = numbering.step(_made(newest), after)
    name = ModelVersion(config.model, numbering.following(known[-1], step))
    progress(f"{name}: a {step.value} step from {known[-1]}: {reason}")
    return name


def _made(there: ModelPackage) -> numbering.Made:
    metadata = there.metadata
    origin = _origin(there.directory)
    family = origin.get("version", {}).get("family", metadata.family)  # a distilled version serves another one
    features = origin.get("features", {})
    return numbering.Made(there.schema, metadata.task, metadata.classes, family, features, metadata.targets)


def _origin(directory: Path) -> dict[str, Any]:
    """What a package says that it was made from; nothing where it does not say."""
    try:
        content: dict[str, Any] = json.loads((directory / TRAINED_FROM).read_text())
    except FileNotFoundError:
        return {}
    return content
