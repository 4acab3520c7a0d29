"""The number of a version that its document leaves open: what changed since the newest one decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.model_version import Version
from deployments.contracts.package import Task

FIRST = Version(1, 0, 0)


class Step(StrEnum):
    """Which part of a number goes up (semver.org)."""

    MAJOR = "major"
    """Callers notice: what they send, or what they get back, is not the same."""
    MINOR = "minor"
    """Another model of the same question: its features are made differently, or it is of another family."""
    PATCH = "patch"
    """The same model, fitted again: other rows, other hyperparameters."""


@dataclass(frozen=True)
class Made:
    """What a version is, as far as its number depends on it.

    Attributes:
        schema: What callers send.
        task: What they ask.
        classes: The labels that they get back.
        family: Kind of model.
        features: How features become numbers, as its document says it.
        targets: The quantities that they get back, if there are several.
    """

    schema: FeatureSchema
    task: Task
    classes: tuple[str | int | bool, ...]
    family: str
    features: Mapping[str, Any]
    targets: tuple[str, ...] = ()


def following(newest: Version, step: Step) -> Version:
    """Return the number after another one.

    >>> str(following(Version(1, 4, 2), Step.MINOR))
    '1.5.0'
    """
    if step is Step.MAJOR:
        return Version(newest.major + 1, 0, 0)
    if step is Step.MINOR:
        return Version(newest.major, newest.minor + 1, 0)
    return Version(newest.major, newest.minor, newest.patch + 1)


def step(before: Made, after: Made) -> tuple[Step, str]:
    """Return which part goes up, and why in a few words.

    A feature that may be null now and could not before is no reason: every request that was right stays right.
    """
    if reason := _noticed(before, after):
        return Step.MAJOR, reason
    if before.family != after.family:
        return Step.MINOR, f"{after.family} instead of {before.family}"
    if before.features != after.features:
        return Step.MINOR, "features are made differently"
    return Step.PATCH, "fitted again"


def _noticed(before: Made, after: Made) -> str:
    """What a caller notices first; empty if nothing."""
    if (before.task, before.classes, before.targets) != (after.task, after.classes, after.targets):
        names = after.classes or after.targets
        labels = f" of {', '.join(map(str, names))}" if names else ""
        return f"it answers with a {after.task.value}{labels}"
    old = {feature.name: feature for feature in before.schema.features}
    new = {feature.name: feature for feature in after.schema.features}
    if gone := sorted(old.keys() - new.keys()):
        return f"it takes {', '.join(gone)} no more"
    if added := sorted(new.keys() - old.keys()):
        return f"it takes {', '.join(added)}, too"
    for name, feature in new.items():
        if feature.kind is not old[name].kind:
            return f"{name} is a {feature.kind.value}, no {old[name].kind.value}"
        if old[name].nullable and not feature.nullable:
            return f"{name} may be null no more"
    return ""
