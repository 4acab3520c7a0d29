"""Versions of high risk: a person approves them before anybody gets their answers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from deployments.contracts.model_version import Version
from deployments.contracts.package import RiskTier
from deployments.contracts.rollout_plan import PauseStep, RolloutPlan
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.rollout.control_database import Decision

RiskOf = Callable[[str, Version], RiskTier | None]
"""The risk tier of a model's version, as its package says; None where it says nothing."""


def with_approval(plan: RolloutPlan, risk: RiskTier | None) -> RolloutPlan:
    """The plan by which a candidate of this risk is rolled out.

    One of high risk waits for somebody else's approval before its first request, whatever the plan says.
    """
    first = plan.steps[0]
    if risk is not RiskTier.HIGH or (isinstance(first, PauseStep) and first.by == "somebody-else"):
        return plan
    following = plan.steps[1:] if isinstance(first, PauseStep) else plan.steps
    return plan.model_copy(update={"steps": (PauseStep(pause="approval"), *following)})


def unapproved(policy: TrafficPolicy, risk_of: RiskOf, history: Iterable[Decision]) -> tuple[Version, ...]:
    """Versions of high risk that a policy would send requests to, and that no rollout brought there before.

    The first policy of an endpoint may have a stable version of high risk: somebody has to answer.

    Args:
        policy: That is to come into force without a rollout.
        risk_of: What packages say.
        history: Every decision on the endpoint.
    """
    known = {str(version) for made in history for version in _with_weight(made.detail.get("weights"))}
    allowed = known or {str(policy.stable)}
    reached = {version for version, _ in policy.slots} | {rule.version for rule in policy.rules}
    return tuple(
        version
        for version in sorted(reached)
        if str(version) not in allowed and risk_of(policy.model, version) is RiskTier.HIGH
    )


def _with_weight(weights: object) -> list[str]:
    if not isinstance(weights, dict):
        return []
    return [version for version, weight in weights.items() if weight > 0]
