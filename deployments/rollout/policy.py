"""The traffic policy that follows from an endpoint's document and from what is in force. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.contracts.endpoint import ModelEndpoint
from deployments.contracts.errors import UnknownVersion
from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.state import Rollout
from deployments.routing.slot_table import SlotTable


def from_document(document: ModelEndpoint, epoch: int, previous: TrafficPolicy | None = None) -> TrafficPolicy:
    """The policy of a new or changed endpoint file.

    Units keep their versions as far as the new weights allow: the slot table in force is changed by the fewest
    moves, and the salt stays.
    """
    spec = document.spec
    table = SlotTable(previous.slots).reweighted(spec.weights) if previous else SlotTable.of(spec.weights)
    return TrafficPolicy(
        endpoint=document.name,
        model=spec.model,
        policy_epoch=epoch,
        stable=spec.stable,
        versions=tuple(sorted(served.version for served in spec.versions)),
        replicas={served.version: served.scaling.max_replicas for served in spec.versions},
        sleepers=tuple(served.version for served in spec.versions if served.scaling.sleeps_after is not None),
        slots=table.runs,
        salt=_salt(document, previous),
        sticky_by=spec.traffic.sticky_by,
        experiment=spec.traffic.experiment,
        rules=spec.traffic.rules,
        shadows=spec.traffic.shadow,
        bandit=spec.traffic.bandit,
        cache=spec.cache,
        request_log=spec.request_log,
        limits=spec.limits,
        documents=spec.documents,
    )


def _salt(document: ModelEndpoint, previous: TrafficPolicy | None) -> str:
    """A new experiment shuffles the units: who was in the last one's treatment must not all be in this one's."""
    experiment = document.spec.traffic.experiment
    if previous is not None and previous.experiment == experiment:
        return previous.salt
    return f"{document.name}/{experiment}" if experiment else document.name


def with_weights(policy: TrafficPolicy, weights: Mapping[Version, float], epoch: int) -> TrafficPolicy:
    """The policy with other weights; a version that is not named gets none.

    Raises:
        UnknownVersion: A version has no pool in this policy.
        ValueError: The weights do not add up to 100.
    """
    for version in weights:
        if version not in policy.versions:
            raise UnknownVersion(str(version), tuple(map(str, policy.versions)))
    table = SlotTable(policy.slots).reweighted(weights)
    return policy.model_copy(update={"slots": table.runs, "policy_epoch": epoch})


def readable_weights(policy: TrafficPolicy) -> dict[str, float]:
    """Percentage of every version, by its number."""
    weights = {str(version): 0.0 for version in policy.versions}
    for version, slots in policy.slots:
        weights[str(version)] += slots / 100
    return weights


def of_rollout(wanted: WantedEndpoint, rollout: Rollout, epoch: int) -> TrafficPolicy:
    """The policy with a rollout's weights; the salt stays, so a unit keeps its version while weights rise.

    Rules that send requests to the candidate hold while it has weight: before it may have any (an approval or a
    replay comes first) and after it was withdrawn nobody gets its answers. The endpoint's owner may want shadows
    of a version that gets traffic now: it is none meanwhile.

    Args:
        wanted: The endpoint, with the policy in force.
        rollout: As it is to be.
        epoch: Of the new policy.

    Raises:
        UnknownVersion: A version has no pool in this policy.
    """
    policy, traffic = wanted.policy, wanted.document.spec.traffic
    reweighted = with_weights(policy, rollout.weights, epoch)
    served = {version for version, weight in rollout.weights.items() if weight}
    update = {
        "stable": rollout.champion,
        "experiment": traffic.experiment if rollout.state.phase.is_final else rollout.name,
        "shadows": tuple(shadow for shadow in traffic.shadow if shadow.version not in served),
        "rules": tuple(
            rule
            for rule in traffic.rules
            if (rule.version in served if rule.version == rollout.candidate else rule in policy.rules)
        ),
    }
    return reweighted.model_copy(update=update)
