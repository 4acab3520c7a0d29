"""An endpoint's document as it would be written today. Pure.

A promotion moves stable and weights in the policy alone. Whoever adds something to a document begins here: the
document of before would take the traffic back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deployments.contracts.endpoint import ModelEndpoint, Role, ServedVersion
from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import Rule, TrafficPolicy
from deployments.rollout import aliases


@dataclass(frozen=True, slots=True)
class InForce:
    """What of an endpoint is in force, whatever its document says.

    Attributes:
        stable: The version that is stable by now.
        weights: In per cent; a version that is not named has none.
        rules: That send requests past the split.
    """

    stable: Version
    weights: Mapping[Version, float]
    rules: tuple[Rule, ...]

    @classmethod
    def under(cls, policy: TrafficPolicy) -> InForce:
        """What is in force under a policy."""
        weights = dict.fromkeys(policy.versions, 0.0)
        for version, slots in policy.slots:
            weights[version] = weights.get(version, 0.0) + slots / 100
        return cls(policy.stable, weights, policy.rules)

    def needs(self, document: ModelEndpoint, version: Version) -> bool:
        """Whether somebody is sent to a version, or gets copies."""
        named = {rule.version for rule in self.rules}
        named |= {shadow.version for shadow in document.spec.traffic.shadow}
        return version == self.stable or version in named or self.weights.get(version, 0.0) > 0


def with_candidate(
    document: ModelEndpoint, in_force: InForce, version: Version, *, without_idle: bool = False
) -> ModelEndpoint:
    """The document with a candidate more, which has no traffic and the replicas of stable.

    Args:
        document: That was last applied.
        in_force: Roles, split and rules as they are to stay.
        version: Of the candidate.
        without_idle: Whether versions go that nobody is sent to.

    Raises:
        InvalidDocument: What would come of it is no sound endpoint.
    """
    spec, alias = document.spec, aliases.followed_alias(document)
    kept = [
        _in_role(served, in_force.stable, alias)
        for served in spec.versions
        if not without_idle or in_force.needs(document, served.version)
    ]
    like = next(served for served in kept if served.role is Role.STABLE)
    added = ServedVersion(version=version, role=Role.CANDIDATE, scaling=like.scaling, resources=like.resources)
    split = {str(served): weight for served, weight in in_force.weights.items() if weight > 0}
    shadows = tuple(shadow for shadow in spec.traffic.shadow if str(shadow.version) not in split)
    traffic = spec.traffic.model_copy(update={"split": split, "shadow": shadows, "rules": in_force.rules})
    changed = spec.model_copy(update={"versions": (*kept, added), "traffic": traffic})
    return aliases.sound(
        document.model_copy(update={"spec": changed}).model_dump(mode="json", by_alias=True, exclude_none=True),
        f"{document.name} with {version} as a candidate",
    )


def _in_role(served: ServedVersion, stable: Version, alias: str | None) -> ServedVersion:
    """A version in the role that it has now; whichever is stable follows the endpoint's alias."""
    if served.version == stable:
        scaling = served.scaling.always_awake()
        return served.model_copy(update={"role": Role.STABLE, "alias": alias, "scaling": scaling})
    return served.model_copy(update={"role": Role.CANDIDATE, "alias": None})
