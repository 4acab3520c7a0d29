"""The endpoint file: which versions of a model are served, and how traffic is divided among them."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from deployments.contracts import duration, model_version, yaml_document
from deployments.contracts.duration import Duration
from deployments.contracts.errors import InvalidVersion
from deployments.contracts.model_version import Version
from deployments.contracts.rollout_plan import RolloutPlan
from deployments.contracts.traffic_policy import (
    Bandit,
    CachePolicy,
    Documents,
    Limits,
    RequestLog,
    Rule,
    Shadow,
    StickyBy,
)

API_VERSION = "raygate.io/v1alpha1"
RAYSERVICE_NAME_LIMIT = 47
SMALLEST_WEIGHT = 0.01  # one of 10,000 slots
IDLE_AFTER, SHORTEST_IDLE = timedelta(minutes=10), timedelta(seconds=10)
"""Serve averages over five seconds: a call of just before would wake a pool that went to sleep earlier."""


class Part(BaseModel):
    """Base of the endpoint file's parts: camel case as in Kubernetes, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)


def _model_name(text: str) -> str:
    try:
        return model_version.model_name(text)
    except InvalidVersion as error:
        raise ValueError(str(error)) from error


def _endpoint_name(text: str) -> str:
    if len(text) > RAYSERVICE_NAME_LIMIT or not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", text):
        raise ValueError(
            f"must be at most {RAYSERVICE_NAME_LIMIT} lower-case letters, digits and inner hyphens, first a letter"
        )
    return text


class Role(StrEnum):
    """What a version is to its endpoint."""

    STABLE = "stable"
    CANDIDATE = "candidate"


class Scaling(Part):
    """Replicas of one version's pool.

    Attributes:
        min_replicas: Replicas at the least. With 0 the pool sleeps while nobody asks, if its version is not
            stable, has no weight and gets no copies; else it keeps one.
        max_replicas: Replicas at the most; as many as at the least where it is left out.
        idle_after: Where minReplicas is 0: how long nobody may have asked before the pool goes to sleep, 10m where
            it is left out.
    """

    min_replicas: int = Field(default=1, alias="minReplicas", ge=0, le=1000)
    max_replicas: int = Field(default=1, alias="maxReplicas", ge=1, le=1000)
    target_utilisation: float = Field(default=0.7, alias="targetUtilisation", gt=0, le=1)
    idle_after: Duration | None = Field(default=None, alias="idleAfter")

    @model_validator(mode="before")
    @classmethod
    def _fixed_by_one_bound(cls, value: object) -> object:
        """With the lower bound alone the pool has a fixed size, or one replica and sleep."""
        if isinstance(value, dict) and "minReplicas" in value and "maxReplicas" not in value:
            return {**value, "maxReplicas": 1 if value["minReplicas"] == 0 else value["minReplicas"]}
        return value

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> Scaling:
        if self.max_replicas < self.min_replicas:
            raise ValueError(f"maxReplicas {self.max_replicas} is below minReplicas {self.min_replicas}")
        if self.idle_after is not None and self.min_replicas > 0:
            raise ValueError(f"idleAfter needs minReplicas 0: with {self.min_replicas} a pool never sleeps")
        if self.idle_after is not None and self.idle_after < SHORTEST_IDLE:
            raise ValueError(f"idleAfter is at least {duration.text(SHORTEST_IDLE)}")
        return self

    @property
    def sleeps_after(self) -> timedelta | None:
        """How long nobody may have asked before the pool goes to sleep; None if it never does."""
        return None if self.min_replicas else self.idle_after or IDLE_AFTER

    def always_awake(self) -> Scaling:
        """The same for a version that must always be able to answer."""
        if self.min_replicas:
            return self
        return self.model_copy(update={"min_replicas": 1, "idle_after": None})


class Resources(Part):
    """What one replica of a pool reserves."""

    cpus: float = Field(default=0.1, gt=0, description="Ray CPUs; a reservation, not a limit")
    memory_bytes: int | None = Field(default=None, alias="memoryBytes", gt=0)


class ServedVersion(Part):
    """One version of the endpoint's model.

    Attributes:
        version: Its number; of one with an alias the number that it begins with.
        role: What it is to the endpoint.
        alias: Alias of the registry that this version follows whenever models are reloaded; stable's alone.
        scaling: Replicas of its pool.
        resources: What one of them reserves.
    """

    version: Version
    role: Role
    alias: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,99}$")
    scaling: Scaling = Scaling()
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _stable_never_sleeps(self) -> ServedVersion:
        if self.role is Role.STABLE and self.scaling.min_replicas == 0:
            raise ValueError(
                f"scaling.minReplicas is 0, but {self.version} is stable, which must always be able to answer: "
                "give it 1 or more; candidates may have 0"
            )
        return self


class Traffic(Part):
    """How requests are divided.

    Attributes:
        split: Percentages by version number, or by role where the role names one version.
        sticky_by: What keeps its version while weights move.
        experiment: Name that every record of this split carries; changing it shuffles the units.
        rules: Tried in order before the split.
        shadow: Versions that get copies of requests.
        bandit: Lets feedback move the split.
    """

    split: dict[str, float]
    sticky_by: StickyBy | None = Field(default=None, alias="stickyBy")
    experiment: str = Field(default="", max_length=100)
    rules: tuple[Rule, ...] = ()
    shadow: tuple[Shadow, ...] = ()
    bandit: Bandit | None = None

    @model_validator(mode="after")
    def _one_kind_of_unit(self) -> Traffic:
        if self.sticky_by and (self.sticky_by.header is None) == (self.sticky_by.feature is None):
            raise ValueError("stickyBy takes a header or a feature, one of them")
        if self.sticky_by is None and any(rule.when.units for rule in self.rules):
            raise ValueError("rules: `units` needs stickyBy, which says where a request names its unit")
        return self


class Spec(Part):
    """What is wanted of an endpoint."""

    model: Annotated[str, AfterValidator(_model_name)]
    versions: tuple[ServedVersion, ...] = Field(min_length=1)
    traffic: Traffic
    cache: CachePolicy = CachePolicy()
    request_log: RequestLog = Field(default=RequestLog(), alias="requestLog")
    limits: Limits = Limits()
    rollout: RolloutPlan = RolloutPlan()
    documents: Documents | None = None

    @model_validator(mode="after")
    def _versions_are_sound(self) -> Spec:
        numbers = [served.version for served in self.versions]
        twice = sorted({number for number in numbers if numbers.count(number) > 1})
        if twice:
            raise ValueError(f"versions named twice: {', '.join(map(str, twice))}")
        stable = [served for served in self.versions if served.role is Role.STABLE]
        if len(stable) != 1:
            raise ValueError(f"exactly one version must have the role stable, not {len(stable)}")
        if any(served.alias for served in self.versions if served.role is not Role.STABLE):
            raise ValueError("only the stable version follows an alias")
        weights = resolve_split(self.traffic.split, self.versions)
        _check_references(self.traffic, weights)
        return self

    @property
    def stable(self) -> Version:
        """The version that must be able to answer."""
        return next(served.version for served in self.versions if served.role is Role.STABLE)

    @property
    def weights(self) -> dict[Version, float]:
        """Percentage of every version, 0 for one that the split leaves out."""
        return resolve_split(self.traffic.split, self.versions)


class Metadata(Part):
    """Name of the endpoint: the ``model_id`` of requests."""

    name: Annotated[str, AfterValidator(_endpoint_name)]


class ModelEndpoint(Part):
    """The endpoint file."""

    api_version: Literal["raygate.io/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["ModelEndpoint"]
    metadata: Metadata
    spec: Spec

    @property
    def name(self) -> str:
        """Name of the endpoint."""
        return self.metadata.name


def _check_references(traffic: Traffic, weights: dict[Version, float]) -> None:
    """Rules and shadows name versions of the endpoint, and no rule hides behind another's name.

    Raises:
        ValueError: Says which does not.
    """
    known = ", ".join(map(str, weights))
    for rule in traffic.rules:
        if rule.version not in weights:
            raise ValueError(f"rules: {rule.name!r} names {rule.version}; versions: {known}")
    names = [rule.name for rule in traffic.rules]
    if len(set(names)) < len(names):
        raise ValueError(f"rules: a name stands twice in {', '.join(names)}")
    shadowed = [shadow.version for shadow in traffic.shadow]
    for version in shadowed:
        if version not in weights or shadowed.count(version) > 1:
            raise ValueError(f"shadow: {version} must name one version of the endpoint, once; versions: {known}")
        if weights[version] > 0:
            raise ValueError(
                f"shadow: {version} has {weights[version]:g} % of the split; a shadow gets copies only"
            )
    arms = sum(weight > 0 for weight in weights.values())
    if traffic.bandit and (arms < 2 or arms * traffic.bandit.floor > 100):
        raise ValueError(
            f"bandit: {arms} arms with a floor of {traffic.bandit.floor:g} % each; needs two arms or more"
        )


def parse(text: str, source: str) -> ModelEndpoint:
    """Read an endpoint file.

    Raises:
        InvalidDocument: Names every field that is wrong, with its line.
    """
    return yaml_document.read(text, source, ModelEndpoint)


def resolve_split(split: dict[str, float], versions: tuple[ServedVersion, ...]) -> dict[Version, float]:
    """Percentages by version.

    Args:
        split: By version number or role.
        versions: Those of the endpoint.

    Raises:
        ValueError: A key names no version or several, a version stands twice, a weight is negative or finer than
            one of 10,000 slots, or they do not add up to 100.
    """
    weights: dict[Version, float] = {served.version: 0.0 for served in versions}
    seen: set[Version] = set()
    for key, weight in split.items():
        named = [served.version for served in versions if key in (str(served.version), served.role.value)]
        if len(named) != 1:
            known = ", ".join(f"{served.version} ({served.role.value})" for served in versions)
            raise ValueError(f"split: {key!r} names {len(named) or 'no'} versions; known: {known}")
        if named[0] in seen:
            raise ValueError(f"split: {named[0]} stands twice")
        if weight < 0 or 0 < weight < SMALLEST_WEIGHT:
            raise ValueError(
                f"split: {key} has {weight:g}; a weight is 0 or at least {SMALLEST_WEIGHT:g} per cent"
            )
        seen.add(named[0])
        weights[named[0]] = weight
    total = sum(weights.values())
    if abs(total - 100) > 1e-6:
        raise ValueError(f"split: the weights add up to {total:g}, not to 100")
    return weights
