"""Overrides of a split by hand: how the history tells of one, and how the latest switch is undone. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from deployments.contracts.errors import NothingToSwitchBack
from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.rollout import policy
from deployments.rollout.control_database import Decision

TRAFFIC = "traffic"
"""How the history names a change of the weights."""
SWITCH = "switch"
"""How the history names a change of all traffic to one version."""


def detail(before: TrafficPolicy, after: TrafficPolicy) -> dict[str, object]:
    """What the history keeps of an override: enough to undo it."""
    return {"weights": policy.readable_weights(after), "before": policy.readable_weights(before)}


def weights_before_switch(endpoint: str, history: Sequence[Decision]) -> dict[Version, float]:
    """The weights that an endpoint had before it was last switched.

    Switching back is a switch too, so doing it twice ends where it began.

    Args:
        endpoint: Its name.
        history: Its decisions, the oldest first.

    Raises:
        NothingToSwitchBack: It was never switched, as far as the history goes back.
    """
    switched = next((made for made in reversed(history) if made.action == SWITCH), None)
    if switched is None:
        raise NothingToSwitchBack(endpoint)
    before = switched.detail["before"]
    assert isinstance(before, dict)
    return {Version.parse(version): weight for version, weight in before.items() if weight > 0}
