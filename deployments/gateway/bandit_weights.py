"""An endpoint's weights as its bandit wants them, by the feedback that all gateways have had."""

from __future__ import annotations

from deployments.contracts.feedback_totals import FeedbackTotals
from deployments.gateway.served_endpoint import ServedEndpoint
from deployments.routing import bandit
from deployments.routing.bandit import Arm


def moved(endpoint: ServedEndpoint, totals: FeedbackTotals) -> ServedEndpoint:
    """The endpoint with the weights that its arms have earned; itself without a bandit, or if nothing changes.

    Args:
        endpoint: As it is in force. The versions that its policy gives any weight are the arms.
        totals: Successes and failures by model and version.
    """
    policy = endpoint.policy
    if policy.bandit is None:
        return endpoint
    arms = {
        version: Arm(*totals.get((policy.model, str(version)), (0, 0)))
        for version in {version for version, slots in policy.slots if slots}
    }
    floor = policy.bandit.floor
    if len(arms) < 2 or floor * len(arms) > 100:  # weights set by hand have left it nothing to move
        return endpoint
    return endpoint.reweighted(bandit.weights(arms, floor))
