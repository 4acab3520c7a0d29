"""What is checked of an endpoint before anything is asked of the cluster. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from deployments.contracts.endpoint import ModelEndpoint
from deployments.contracts.errors import FieldProblem, InvalidDocument
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.rollout import approval, document_check
from deployments.rollout.approval import RiskOf
from deployments.rollout.control_database import Decision
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.errors import ApprovalRequired, OverrideNotPossible, RolloutRunning
from deployments.rollout.state import Rollout


def check(
    document: ModelEndpoint,
    wanted: Mapping[str, WantedEndpoint],
    rollout: Rollout | None,
    listener_seconds: float,
) -> None:
    """Make sure that a changed document collides with nothing.

    Args:
        document: The endpoint as its owner wants it now.
        wanted: Every endpoint that was accepted, this one perhaps among them.
        rollout: The latest of this endpoint.
        listener_seconds: After which the listener gives up on a gateway that does not answer.

    Raises:
        InvalidDocument: Another endpoint serves that model, or has that path; it asks for answers that the
            listener would not wait for.
        RolloutRunning: A rollout owns the endpoint's weights.
    """
    _check_deadline(document, listener_seconds)
    others = [other.document for name, other in wanted.items() if name != document.name]
    for other in others:
        if other.spec.model == document.spec.model:
            problem = f"{document.spec.model} is served by the endpoint {other.name} already"
            raise InvalidDocument(document.name, (FieldProblem("spec.model", problem),))
    document_check.check_route(document, others, document.name)
    check_owned(document.name, rollout)


def check_owned(endpoint: str, rollout: Rollout | None) -> None:
    """While a rollout moves an endpoint's weights nobody else does.

    Args:
        endpoint: Its name.
        rollout: Its latest.

    Raises:
        RolloutRunning: It is under way.
    """
    if rollout is not None and rollout.is_active:
        raise RolloutRunning(endpoint, rollout.name, rollout.state.phase)


def check_awake(before: TrafficPolicy, after: TrafficPolicy) -> None:
    """A pool that sleeps comes up when the leader asks for it: a decision that needs it now would come too early.

    Args:
        before: The policy in force.
        after: The one that somebody asks for.

    Raises:
        OverrideNotPossible: A version may sleep under the one and must not under the other.
    """
    for version in after.sleepers:
        if before.may_sleep(version) and not after.may_sleep(version):
            told = f"{version} may sleep; the ModelEndpoint's own split and a rollout wake it first"
            raise OverrideNotPossible(after.endpoint, told)


def _check_deadline(document: ModelEndpoint, listener_seconds: float) -> None:
    """A gateway must be heard before the listener takes its node for lost and asks another."""
    deadline = document.spec.limits.deadline_seconds
    if deadline >= listener_seconds:
        told = (
            f"{deadline:g} must be below {listener_seconds:g}, RAY_SERVE_HAPROXY_TIMEOUT_SERVER_S of this cluster"
        )
        raise InvalidDocument(document.name, (FieldProblem("spec.limits.deadlineSeconds", told),))


def check_approved(made: TrafficPolicy, risk_of: RiskOf, history: Iterable[Decision]) -> None:
    """A version of high risk gets its first requests by a rollout that somebody approved.

    Args:
        made: The policy that would follow.
        risk_of: What packages say.
        history: Decisions on the endpoint.

    Raises:
        ApprovalRequired: One would get them without.
    """
    for version in approval.unapproved(made, risk_of, history):
        raise ApprovalRequired(made.endpoint, str(version))


def weighted_pools(policy: TrafficPolicy) -> set[str]:
    """Applications that a policy sends traffic to."""
    return {str(ModelVersion(policy.model, version)) for version, _ in policy.slots}
