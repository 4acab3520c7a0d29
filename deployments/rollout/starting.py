"""Whether a rollout can start, and how it begins. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from deployments.contracts.errors import UnknownVersion
from deployments.contracts.model_version import Version
from deployments.contracts.package import RiskTier
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.rollout import approval, transitions
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.errors import RolloutFrozen, RolloutNotPossible, RolloutRunning
from deployments.rollout.state import Rollout


def candidate_of(wanted: WantedEndpoint, version: Version | None) -> Version:
    """The version that is to earn traffic.

    Args:
        wanted: The endpoint.
        version: As asked for; None takes the only one beside stable.

    Raises:
        UnknownVersion: It is not one of the endpoint's versions.
        RolloutNotPossible: It is not clear which one is meant.
    """
    chosen = version or _only_candidate(wanted.document.name, wanted.policy)
    if chosen not in wanted.policy.versions:
        raise UnknownVersion(str(chosen), tuple(map(str, wanted.policy.versions)))
    return chosen


def start(
    wanted: WantedEndpoint,
    latest: Rollout | None,
    chosen: Version,
    risk: RiskTier | None,
    actor: str,
    now: datetime,
) -> Rollout:
    """A rollout of an endpoint by the plan of its file.

    Args:
        wanted: The endpoint.
        latest: Its latest rollout.
        chosen: The candidate, as ``candidate_of`` says.
        risk: Of the candidate, as its package says.
        actor: Who starts it.
        now: When.

    Raises:
        RolloutRunning: Another one is active.
        RolloutFrozen: A freeze of the plan holds.
        RolloutNotPossible: Something else moves the weights.
    """
    document, policy = wanted.document, wanted.policy
    if latest is not None and latest.is_active:
        raise RolloutRunning(document.name, latest.name, latest.state.phase)
    _check_owns_split(wanted, chosen)
    plan = approval.with_approval(document.spec.rollout, risk)
    if plan.is_frozen(now):
        raise RolloutFrozen(document.name)
    moment = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return Rollout(
        name=f"{document.name}-{chosen}-{moment}",
        endpoint=document.name,
        model=policy.model,
        stable=policy.stable,
        candidate=chosen,
        plan=plan,
        started=now,
        started_by=actor,
        state=transitions.begin(plan, now).model_copy(update={"owed_alias": latest and latest.state.owed_alias}),
    )


def _only_candidate(endpoint: str, policy: TrafficPolicy) -> Version:
    others = [version for version in policy.versions if version != policy.stable]
    if len(others) != 1:
        told = f"name the version: {', '.join(map(str, others))}" if others else f"{policy.stable} is all it has"
        raise RolloutNotPossible(endpoint, told)
    return others[0]


def _check_owns_split(wanted: WantedEndpoint, candidate: Version) -> None:
    endpoint, policy = wanted.document.name, wanted.policy
    if candidate == policy.stable:
        raise RolloutNotPossible(endpoint, f"{candidate} is the stable version already")
    if policy.bandit is not None:
        raise RolloutNotPossible(endpoint, "its bandit moves the weights; take `traffic.bandit` out of the file")
    if policy.experiment and policy.experiment != wanted.document.spec.traffic.experiment:
        raise RolloutNotPossible(endpoint, f"the experiment {policy.experiment} owns its weights")
    others = {version for version, _ in policy.slots} - {candidate, policy.stable}
    if others:
        named = ", ".join(map(str, sorted(others)))
        raise RolloutNotPossible(endpoint, f"{named} has a part of the split, which a rollout divides among two")
